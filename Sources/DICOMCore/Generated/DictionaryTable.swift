// The attributes of PS3.6. Written by scripts/generate-dictionary; do not edit.

/// `GGGGEEEE` `VR` `Keyword` `|` `Name`, by tag (PS3.6 Section 6).
let dictionaryTable: StaticString = """
    00000000ULCommandGroupLength|Command Group Length
    00000001ULCommandLengthToEnd|Command Length to End
    00000002UIAffectedSOPClassUID|Affected SOP Class UID
    00000003UIRequestedSOPClassUID|Requested SOP Class UID
    00000010SHCommandRecognitionCode|Command Recognition Code
    00000100USCommandField|Command Field
    00000110USMessageID|Message ID
    00000120USMessageIDBeingRespondedTo|Message ID Being Responded To
    00000200AEInitiator|Initiator
    00000300AEReceiver|Receiver
    00000400AEFindLocation|Find Location
    00000600AEMoveDestination|Move Destination
    00000700USPriority|Priority
    00000800USCommandDataSetType|Command Data Set Type
    00000850USNumberOfMatches|Number of Matches
    00000860USResponseSequenceNumber|Response Sequence Number
    00000900USStatus|Status
    00000901ATOffendingElement|Offending Element
    00000902LOErrorComment|Error Comment
    00000903USErrorID|Error ID
    00001000UIAffectedSOPInstanceUID|Affected SOP Instance UID
    00001001UIRequestedSOPInstanceUID|Requested SOP Instance UID
    00001002USEventTypeID|Event Type ID
    00001005ATAttributeIdentifierList|Attribute Identifier List
    00001008USActionTypeID|Action Type ID
    00001020USNumberOfRemainingSuboperations|Number of Remaining Sub-operations
    00001021USNumberOfCompletedSuboperations|Number of Completed Sub-operations
    00001022USNumberOfFailedSuboperations|Number of Failed Sub-operations
    00001023USNumberOfWarningSuboperations|Number of Warning Sub-operations
    00001030AEMoveOriginatorApplicationEntityTitle|Move Originator Application Entity Title
    00001031USMoveOriginatorMessageID|Move Originator Message ID
    00004000LTDialogReceiver|Dialog Receiver
    00004010LTTerminalType|Terminal Type
    00005010SHMessageSetID|Message Set ID
    00005020SHEndMessageID|End Message ID
    00005110LTDisplayFormat|Display Format
    00005120LTPagePositionID|Page Position ID
    00005130CSTextFormatID|Text Format ID
    00005140CSNormalReverse|Normal/Reverse
    00005150CSAddGrayScale|Add Gray Scale
    00005160CSBorders|Borders
    00005170ISCopies|Copies
    00005180CSCommandMagnificationType|Command Magnification Type
    00005190CSErase|Erase
    000051A0CSPrint|Print
    000051B0USOverlays|Overlays
    00020000ULFileMetaInformationGroupLength|File Meta Information Group Length
    00020001OBFileMetaInformationVersion|File Meta Information Version
    00020002UIMediaStorageSOPClassUID|Media Storage SOP Class UID
    00020003UIMediaStorageSOPInstanceUID|Media Storage SOP Instance UID
    00020010UITransferSyntaxUID|Transfer Syntax UID
    00020012UIImplementationClassUID|Implementation Class UID
    00020013SHImplementationVersionName|Implementation Version Name
    00020016AESourceApplicationEntityTitle|Source Application Entity Title
    00020017AESendingApplicationEntityTitle|Sending Application Entity Title
    00020018AEReceivingApplicationEntityTitle|Receiving Application Entity Title
    00020026URSourcePresentationAddress|Source Presentation Address
    00020027URSendingPresentationAddress|Sending Presentation Address
    00020028URReceivingPresentationAddress|Receiving Presentation Address
    00020031OBRTVMetaInformationVersion|RTV Meta Information Version
    00020032UIRTVCommunicationSOPClassUID|RTV Communication SOP Class UID
    00020033UIRTVCommunicationSOPInstanceUID|RTV Communication SOP Instance UID
    00020035OBRTVSourceIdentifier|RTV Source Identifier
    00020036OBRTVFlowIdentifier|RTV Flow Identifier
    00020037ULRTVFlowRTPSamplingRate|RTV Flow RTP Sampling Rate
    00020038FDRTVFlowActualFrameDuration|RTV Flow Actual Frame Duration
    00020100UIPrivateInformationCreatorUID|Private Information Creator UID
    00020102OBPrivateInformation|Private Information
    00041130CSFileSetID|File-set ID
    00041141CSFileSetDescriptorFileID|File-set Descriptor File ID
    00041142CSSpecificCharacterSetOfFileSetDescriptorFile|Specific Character Set of File-set Descriptor File
    00041200ULOffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity|Offset of the First Directory Record of the Root Directory Entity
    00041202ULOffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity|Offset of the Last Directory Record of the Root Directory Entity
    00041212USFileSetConsistencyFlag|File-set Consistency Flag
    00041220SQDirectoryRecordSequence|Directory Record Sequence
    00041400ULOffsetOfTheNextDirectoryRecord|Offset of the Next Directory Record
    00041410USRecordInUseFlag|Record In-use Flag
    00041420ULOffsetOfReferencedLowerLevelDirectoryEntity|Offset of Referenced Lower-Level Directory Entity
    00041430CSDirectoryRecordType|Directory Record Type
    00041432UIPrivateRecordUID|Private Record UID
    00041500CSReferencedFileID|Referenced File ID
    00041504ULMRDRDirectoryRecordOffset|MRDR Directory Record Offset
    00041510UIReferencedSOPClassUIDInFile|Referenced SOP Class UID in File
    00041511UIReferencedSOPInstanceUIDInFile|Referenced SOP Instance UID in File
    00041512UIReferencedTransferSyntaxUIDInFile|Referenced Transfer Syntax UID in File
    0004151AUIReferencedRelatedGeneralSOPClassUIDInFile|Referenced Related General SOP Class UID in File
    00041600ULNumberOfReferences|Number of References
    00060001SQCurrentFrameFunctionalGroupsSequence|Current Frame Functional Groups Sequence
    00080001ULLengthToEnd|Length to End
    00080005CSSpecificCharacterSet|Specific Character Set
    00080006SQLanguageCodeSequence|Language Code Sequence
    00080008CSImageType|Image Type
    00080010SHRecognitionCode|Recognition Code
    00080012DAInstanceCreationDate|Instance Creation Date
    00080013TMInstanceCreationTime|Instance Creation Time
    00080014UIInstanceCreatorUID|Instance Creator UID
    00080015DTInstanceCoercionDateTime|Instance Coercion DateTime
    00080016UISOPClassUID|SOP Class UID
    00080017UIAcquisitionUID|Acquisition UID
    00080018UISOPInstanceUID|SOP Instance UID
    00080019UIPyramidUID|Pyramid UID
    0008001AUIRelatedGeneralSOPClassUID|Related General SOP Class UID
    0008001BUIOriginalSpecializedSOPClassUID|Original Specialized SOP Class UID
    0008001CCSSyntheticData|Synthetic Data
    00080020DAStudyDate|Study Date
    00080021DASeriesDate|Series Date
    00080022DAAcquisitionDate|Acquisition Date
    00080023DAContentDate|Content Date
    00080024DAOverlayDate|Overlay Date
    00080025DACurveDate|Curve Date
    0008002ADTAcquisitionDateTime|Acquisition DateTime
    00080030TMStudyTime|Study Time
    00080031TMSeriesTime|Series Time
    00080032TMAcquisitionTime|Acquisition Time
    00080033TMContentTime|Content Time
    00080034TMOverlayTime|Overlay Time
    00080035TMCurveTime|Curve Time
    00080040USDataSetType|Data Set Type
    00080041LODataSetSubtype|Data Set Subtype
    00080042CSNuclearMedicineSeriesType|Nuclear Medicine Series Type
    00080050SHAccessionNumber|Accession Number
    00080051SQIssuerOfAccessionNumberSequence|Issuer of Accession Number Sequence
    00080052CSQueryRetrieveLevel|Query/Retrieve Level
    00080053CSQueryRetrieveView|Query/Retrieve View
    00080054AERetrieveAETitle|Retrieve AE Title
    00080055AEStationAETitle|Station AE Title
    00080056CSInstanceAvailability|Instance Availability
    00080058UIFailedSOPInstanceUIDList|Failed SOP Instance UID List
    00080060CSModality|Modality
    00080061CSModalitiesInStudy|Modalities in Study
    00080062UISOPClassesInStudy|SOP Classes in Study
    00080063SQAnatomicRegionsInStudyCodeSequence|Anatomic Regions in Study Code Sequence
    00080064CSConversionType|Conversion Type
    00080068CSPresentationIntentType|Presentation Intent Type
    00080070LOManufacturer|Manufacturer
    00080080LOInstitutionName|Institution Name
    00080081STInstitutionAddress|Institution Address
    00080082SQInstitutionCodeSequence|Institution Code Sequence
    00080090PNReferringPhysicianName|Referring Physician's Name
    00080092STReferringPhysicianAddress|Referring Physician's Address
    00080094SHReferringPhysicianTelephoneNumbers|Referring Physician's Telephone Numbers
    00080096SQReferringPhysicianIdentificationSequence|Referring Physician Identification Sequence
    0008009CPNConsultingPhysicianName|Consulting Physician's Name
    0008009DSQConsultingPhysicianIdentificationSequence|Consulting Physician Identification Sequence
    00080100SHCodeValue|Code Value
    00080101LOExtendedCodeValue|Extended Code Value
    00080102SHCodingSchemeDesignator|Coding Scheme Designator
    00080103SHCodingSchemeVersion|Coding Scheme Version
    00080104LOCodeMeaning|Code Meaning
    00080105CSMappingResource|Mapping Resource
    00080106DTContextGroupVersion|Context Group Version
    00080107DTContextGroupLocalVersion|Context Group Local Version
    00080108LTExtendedCodeMeaning|Extended Code Meaning
    00080109SQCodingSchemeResourcesSequence|Coding Scheme Resources Sequence
    0008010ACSCodingSchemeURLType|Coding Scheme URL Type
    0008010BCSContextGroupExtensionFlag|Context Group Extension Flag
    0008010CUICodingSchemeUID|Coding Scheme UID
    0008010DUIContextGroupExtensionCreatorUID|Context Group Extension Creator UID
    0008010EURCodingSchemeURL|Coding Scheme URL
    0008010FCSContextIdentifier|Context Identifier
    00080110SQCodingSchemeIdentificationSequence|Coding Scheme Identification Sequence
    00080112LOCodingSchemeRegistry|Coding Scheme Registry
    00080114STCodingSchemeExternalID|Coding Scheme External ID
    00080115STCodingSchemeName|Coding Scheme Name
    00080116STCodingSchemeResponsibleOrganization|Coding Scheme Responsible Organization
    00080117UIContextUID|Context UID
    00080118UIMappingResourceUID|Mapping Resource UID
    00080119UCLongCodeValue|Long Code Value
    00080120URURNCodeValue|URN Code Value
    00080121SQEquivalentCodeSequence|Equivalent Code Sequence
    00080122LOMappingResourceName|Mapping Resource Name
    00080123SQContextGroupIdentificationSequence|Context Group Identification Sequence
    00080124SQMappingResourceIdentificationSequence|Mapping Resource Identification Sequence
    00080201SHTimezoneOffsetFromUTC|Timezone Offset From UTC
    00080220SQResponsibleGroupCodeSequence|Responsible Group Code Sequence
    00080221CSEquipmentModality|Equipment Modality
    00080222LOManufacturerRelatedModelGroup|Manufacturer's Related Model Group
    00080300SQPrivateDataElementCharacteristicsSequence|Private Data Element Characteristics Sequence
    00080301USPrivateGroupReference|Private Group Reference
    00080302LOPrivateCreatorReference|Private Creator Reference
    00080303CSBlockIdentifyingInformationStatus|Block Identifying Information Status
    00080304USNonidentifyingPrivateElements|Nonidentifying Private Elements
    00080305SQDeidentificationActionSequence|Deidentification Action Sequence
    00080306USIdentifyingPrivateElements|Identifying Private Elements
    00080307CSDeidentificationAction|Deidentification Action
    00080308USPrivateDataElement|Private Data Element
    00080309ULPrivateDataElementValueMultiplicity|Private Data Element Value Multiplicity
    0008030ACSPrivateDataElementValueRepresentation|Private Data Element Value Representation
    0008030BULPrivateDataElementNumberOfItems|Private Data Element Number of Items
    0008030CUCPrivateDataElementName|Private Data Element Name
    0008030DUCPrivateDataElementKeyword|Private Data Element Keyword
    0008030EUTPrivateDataElementDescription|Private Data Element Description
    0008030FUTPrivateDataElementEncoding|Private Data Element Encoding
    00080310SQPrivateDataElementDefinitionSequence|Private Data Element Definition Sequence
    00080400SQScopeOfInventorySequence|Scope of Inventory Sequence
    00080401LTInventoryPurpose|Inventory Purpose
    00080402LTInventoryInstanceDescription|Inventory Instance Description
    00080403CSInventoryLevel|Inventory Level
    00080404DTItemInventoryDateTime|Item Inventory DateTime
    00080405CSRemovedFromOperationalUse|Removed from Operational Use
    00080406SQReasonForRemovalCodeSequence|Reason for Removal Code Sequence
    00080407URStoredInstanceBaseURI|Stored Instance Base URI
    00080408URFolderAccessURI|Folder Access URI
    00080409URFileAccessURI|File Access URI
    0008040ACSContainerFileType|Container File Type
    0008040BURFilenameInContainer|Filename in Container
    0008040CUVFileOffsetInContainer|File Offset in Container
    0008040DUVFileLengthInContainer|File Length in Container
    0008040EUIStoredInstanceTransferSyntaxUID|Stored Instance Transfer Syntax UID
    0008040FCSExtendedMatchingMechanisms|Extended Matching Mechanisms
    00080410SQRangeMatchingSequence|Range Matching Sequence
    00080411SQListOfUIDMatchingSequence|List of UID Matching Sequence
    00080412SQEmptyValueMatchingSequence|Empty Value Matching Sequence
    00080413SQGeneralMatchingSequence|General Matching Sequence
    00080414USRequestedStatusInterval|Requested Status Interval
    00080415CSRetainInstances|Retain Instances
    00080416DTExpirationDateTime|Expiration DateTime
    00080417CSTransactionStatus|Transaction Status
    00080418LTTransactionStatusComment|Transaction Status Comment
    00080419SQFileSetAccessSequence|File Set Access Sequence
    0008041ASQFileAccessSequence|File Access Sequence
    0008041BOBRecordKey|Record Key
    0008041COBPriorRecordKey|Prior Record Key
    0008041DSQMetadataSequence|Metadata Sequence
    0008041ESQUpdatedMetadataSequence|Updated Metadata Sequence
    0008041FDTStudyUpdateDateTime|Study Update DateTime
    00080420SQInventoryAccessEndPointsSequence|Inventory Access End Points Sequence
    00080421SQStudyAccessEndPointsSequence|Study Access End Points Sequence
    00080422SQIncorporatedInventoryInstanceSequence|Incorporated Inventory Instance Sequence
    00080423SQInventoriedStudiesSequence|Inventoried Studies Sequence
    00080424SQInventoriedSeriesSequence|Inventoried Series Sequence
    00080425SQInventoriedInstancesSequence|Inventoried Instances Sequence
    00080426CSInventoryCompletionStatus|Inventory Completion Status
    00080427ULNumberOfStudyRecordsInInstance|Number of Study RecordStore in Instance
    00080428UVTotalNumberOfStudyRecords|Total Number of Study RecordStore
    00080429UVMaximumNumberOfRecords|Maximum Number of RecordStore
    00081000AENetworkID|Network ID
    00081010SHStationName|Station Name
    00081030LOStudyDescription|Study Description
    00081032SQProcedureCodeSequence|Procedure Code Sequence
    0008103ELOSeriesDescription|Series Description
    0008103FSQSeriesDescriptionCodeSequence|Series Description Code Sequence
    00081040LOInstitutionalDepartmentName|Institutional Department Name
    00081041SQInstitutionalDepartmentTypeCodeSequence|Institutional Department Type Code Sequence
    00081048PNPhysiciansOfRecord|Physician(s) of Record
    00081049SQPhysiciansOfRecordIdentificationSequence|Physician(s) of Record Identification Sequence
    00081050PNPerformingPhysicianName|Performing Physician's Name
    00081052SQPerformingPhysicianIdentificationSequence|Performing Physician Identification Sequence
    00081060PNNameOfPhysiciansReadingStudy|Name of Physician(s) Reading Study
    00081062SQPhysiciansReadingStudyIdentificationSequence|Physician(s) Reading Study Identification Sequence
    00081070PNOperatorsName|Operators' Name
    00081072SQOperatorIdentificationSequence|Operator Identification Sequence
    00081080LOAdmittingDiagnosesDescription|Admitting Diagnoses Description
    00081084SQAdmittingDiagnosesCodeSequence|Admitting Diagnoses Code Sequence
    00081088LOPyramidDescription|Pyramid Description
    00081090LOManufacturerModelName|Manufacturer's Model Name
    00081100SQReferencedResultsSequence|Referenced Results Sequence
    00081110SQReferencedStudySequence|Referenced Study Sequence
    00081111SQReferencedPerformedProcedureStepSequence|Referenced Performed Procedure Step Sequence
    00081112SQReferencedInstancesBySOPClassSequence|Referenced Instances by SOP Class Sequence
    00081115SQReferencedSeriesSequence|Referenced Series Sequence
    00081120SQReferencedPatientSequence|Referenced Patient Sequence
    00081125SQReferencedVisitSequence|Referenced Visit Sequence
    00081130SQReferencedOverlaySequence|Referenced Overlay Sequence
    00081134SQReferencedStereometricInstanceSequence|Referenced Stereometric Instance Sequence
    0008113ASQReferencedWaveformSequence|Referenced Waveform Sequence
    00081140SQReferencedImageSequence|Referenced Image Sequence
    00081145SQReferencedCurveSequence|Referenced Curve Sequence
    0008114ASQReferencedInstanceSequence|Referenced Instance Sequence
    0008114BSQReferencedRealWorldValueMappingInstanceSequence|Referenced Real World Value Mapping Instance Sequence
    00081150UIReferencedSOPClassUID|Referenced SOP Class UID
    00081155UIReferencedSOPInstanceUID|Referenced SOP Instance UID
    00081156SQDefinitionSourceSequence|Definition Source Sequence
    0008115AUISOPClassesSupported|SOP Classes Supported
    00081160ISReferencedFrameNumber|Referenced Frame Number
    00081161ULSimpleFrameList|Simple Frame List
    00081162ULCalculatedFrameList|Calculated Frame List
    00081163FDTimeRange|Time Range
    00081164SQFrameExtractionSequence|Frame Extraction Sequence
    00081167UIMultiFrameSourceSOPInstanceUID|Multi-frame Source SOP Instance UID
    00081190URRetrieveURL|Retrieve URL
    00081195UITransactionUID|Transaction UID
    00081196USWarningReason|Warning Reason
    00081197USFailureReason|Failure Reason
    00081198SQFailedSOPSequence|Failed SOP Sequence
    00081199SQReferencedSOPSequence|Referenced SOP Sequence
    0008119ASQOtherFailuresSequence|Other Failures Sequence
    0008119BSQFailedStudySequence|Failed Study Sequence
    00081200SQStudiesContainingOtherReferencedInstancesSequence|Studies Containing Other Referenced Instances Sequence
    00081250SQRelatedSeriesSequence|Related Series Sequence
    00082110CSLossyImageCompressionRetired|Lossy Image Compression (Retired)
    00082111STDerivationDescription|Derivation Description
    00082112SQSourceImageSequence|Source Image Sequence
    00082120SHStageName|Stage Name
    00082122ISStageNumber|Stage Number
    00082124ISNumberOfStages|Number of Stages
    00082127SHViewName|View Name
    00082128ISViewNumber|View Number
    00082129ISNumberOfEventTimers|Number of Event Timers
    0008212AISNumberOfViewsInStage|Number of Views in Stage
    00082130DSEventElapsedTimes|Event Elapsed Time(s)
    00082132LOEventTimerNames|Event Timer Name(s)
    00082133SQEventTimerSequence|Event Timer Sequence
    00082134FDEventTimeOffset|Event Time Offset
    00082135SQEventCodeSequence|Event Code Sequence
    00082142ISStartTrim|Start Trim
    00082143ISStopTrim|Stop Trim
    00082144ISRecommendedDisplayFrameRate|Recommended Display Frame Rate
    00082200CSTransducerPosition|Transducer Position
    00082204CSTransducerOrientation|Transducer Orientation
    00082208CSAnatomicStructure|Anatomic Structure
    00082218SQAnatomicRegionSequence|Anatomic Region Sequence
    00082220SQAnatomicRegionModifierSequence|Anatomic Region Modifier Sequence
    00082228SQPrimaryAnatomicStructureSequence|Primary Anatomic Structure Sequence
    00082229SQAnatomicStructureSpaceOrRegionSequence|Anatomic Structure, Space or Region Sequence
    00082230SQPrimaryAnatomicStructureModifierSequence|Primary Anatomic Structure Modifier Sequence
    00082240SQTransducerPositionSequence|Transducer Position Sequence
    00082242SQTransducerPositionModifierSequence|Transducer Position Modifier Sequence
    00082244SQTransducerOrientationSequence|Transducer Orientation Sequence
    00082246SQTransducerOrientationModifierSequence|Transducer Orientation Modifier Sequence
    00082251SQAnatomicStructureSpaceOrRegionCodeSequenceTrial|Anatomic Structure Space Or Region Code Sequence (Trial)
    00082253SQAnatomicPortalOfEntranceCodeSequenceTrial|Anatomic Portal Of Entrance Code Sequence (Trial)
    00082255SQAnatomicApproachDirectionCodeSequenceTrial|Anatomic Approach Direction Code Sequence (Trial)
    00082256STAnatomicPerspectiveDescriptionTrial|Anatomic Perspective Description (Trial)
    00082257SQAnatomicPerspectiveCodeSequenceTrial|Anatomic Perspective Code Sequence (Trial)
    00082258STAnatomicLocationOfExaminingInstrumentDescriptionTrial|Anatomic Location Of Examining Instrument Description (Trial)
    00082259SQAnatomicLocationOfExaminingInstrumentCodeSequenceTrial|Anatomic Location Of Examining Instrument Code Sequence (Trial)
    0008225ASQAnatomicStructureSpaceOrRegionModifierCodeSequenceTrial|Anatomic Structure Space Or Region Modifier Code Sequence (Trial)
    0008225CSQOnAxisBackgroundAnatomicStructureCodeSequenceTrial|On Axis Background Anatomic Structure Code Sequence (Trial)
    00083001SQAlternateRepresentationSequence|Alternate Representation Sequence
    00083002UIAvailableTransferSyntaxUID|Available Transfer Syntax UID
    00083010UIIrradiationEventUID|Irradiation Event UID
    00083011SQSourceIrradiationEventSequence|Source Irradiation Event Sequence
    00083012UIRadiopharmaceuticalAdministrationEventUID|Radiopharmaceutical Administration Event UID
    00084000LTIdentifyingComments|Identifying Comments
    00089007CSFrameType|Frame Type
    00089092SQReferencedImageEvidenceSequence|Referenced Image Evidence Sequence
    00089121SQReferencedRawDataSequence|Referenced Raw Data Sequence
    00089123UICreatorVersionUID|Creator-Version UID
    00089124SQDerivationImageSequence|Derivation Image Sequence
    00089154SQSourceImageEvidenceSequence|Source Image Evidence Sequence
    00089205CSPixelPresentation|Pixel Presentation
    00089206CSVolumetricProperties|Volumetric Properties
    00089207CSVolumeBasedCalculationTechnique|Volume Based Calculation Technique
    00089208CSComplexImageComponent|Complex Image Component
    00089209CSAcquisitionContrast|Acquisition Contrast
    00089215SQDerivationCodeSequence|Derivation Code Sequence
    00089237SQReferencedPresentationStateSequence|Referenced Presentation State Sequence
    00089410SQReferencedOtherPlaneSequence|Referenced Other Plane Sequence
    00089458SQFrameDisplaySequence|Frame Display Sequence
    00089459FLRecommendedDisplayFrameRateInFloat|Recommended Display Frame Rate in Float
    00089460CSSkipFrameRangeFlag|Skip Frame Range Flag
    00100010PNPatientName|Patient's Name
    00100020LOPatientID|Patient ID
    00100021LOIssuerOfPatientID|Issuer of Patient ID
    00100022CSTypeOfPatientID|Type of Patient ID
    00100024SQIssuerOfPatientIDQualifiersSequence|Issuer of Patient ID Qualifiers Sequence
    00100026SQSourcePatientGroupIdentificationSequence|Source Patient Group Identification Sequence
    00100027SQGroupOfPatientsIdentificationSequence|Group of Patients Identification Sequence
    00100028USSubjectRelativePositionInImage|Subject Relative Position in Image
    00100030DAPatientBirthDate|Patient's Birth Date
    00100032TMPatientBirthTime|Patient's Birth Time
    00100033LOPatientBirthDateInAlternativeCalendar|Patient's Birth Date in Alternative Calendar
    00100034LOPatientDeathDateInAlternativeCalendar|Patient's Death Date in Alternative Calendar
    00100035CSPatientAlternativeCalendar|Patient's Alternative Calendar
    00100040CSPatientSex|Patient's Sex
    00100050SQPatientInsurancePlanCodeSequence|Patient's Insurance Plan Code Sequence
    00100101SQPatientPrimaryLanguageCodeSequence|Patient's Primary Language Code Sequence
    00100102SQPatientPrimaryLanguageModifierCodeSequence|Patient's Primary Language Modifier Code Sequence
    00100200CSQualityControlSubject|Quality Control Subject
    00100201SQQualityControlSubjectTypeCodeSequence|Quality Control Subject Type Code Sequence
    00100212UCStrainDescription|Strain Description
    00100213LOStrainNomenclature|Strain Nomenclature
    00100214LOStrainStockNumber|Strain Stock Number
    00100215SQStrainSourceRegistryCodeSequence|Strain Source Registry Code Sequence
    00100216SQStrainStockSequence|Strain Stock Sequence
    00100217LOStrainSource|Strain Source
    00100218UTStrainAdditionalInformation|Strain Additional Information
    00100219SQStrainCodeSequence|Strain Code Sequence
    00100221SQGeneticModificationsSequence|Genetic Modifications Sequence
    00100222UCGeneticModificationsDescription|Genetic Modifications Description
    00100223LOGeneticModificationsNomenclature|Genetic Modifications Nomenclature
    00100229SQGeneticModificationsCodeSequence|Genetic Modifications Code Sequence
    00101000LOOtherPatientIDs|Other Patient IDs
    00101001PNOtherPatientNames|Other Patient Names
    00101002SQOtherPatientIDsSequence|Other Patient IDs Sequence
    00101005PNPatientBirthName|Patient's Birth Name
    00101010ASPatientAge|Patient's Age
    00101020DSPatientSize|Patient's Size
    00101021SQPatientSizeCodeSequence|Patient's Size Code Sequence
    00101022DSPatientBodyMassIndex|Patient's Body Mass Index
    00101023DSMeasuredAPDimension|Measured AP Dimension
    00101024DSMeasuredLateralDimension|Measured Lateral Dimension
    00101030DSPatientWeight|Patient's Weight
    00101040LOPatientAddress|Patient's Address
    00101050LOInsurancePlanIdentification|Insurance Plan Identification
    00101060PNPatientMotherBirthName|Patient's Mother's Birth Name
    00101080LOMilitaryRank|Military Rank
    00101081LOBranchOfService|Branch of Service
    00101090LOMedicalRecordLocator|Medical Record Locator
    00101100SQReferencedPatientPhotoSequence|Referenced Patient Photo Sequence
    00102000LOMedicalAlerts|Medical Alerts
    00102110LOAllergies|Allergies
    00102150LOCountryOfResidence|Country of Residence
    00102152LORegionOfResidence|Region of Residence
    00102154SHPatientTelephoneNumbers|Patient's Telephone Numbers
    00102155LTPatientTelecomInformation|Patient's Telecom Information
    00102160SHEthnicGroup|Ethnic Group
    00102161SQEthnicGroupCodeSequence|Ethnic Group Code Sequence
    00102180SHOccupation|Occupation
    001021A0CSSmokingStatus|Smoking Status
    001021B0LTAdditionalPatientHistory|Additional Patient History
    001021C0USPregnancyStatus|Pregnancy Status
    001021D0DALastMenstrualDate|Last Menstrual Date
    001021F0LOPatientReligiousPreference|Patient's Religious Preference
    00102201LOPatientSpeciesDescription|Patient Species Description
    00102202SQPatientSpeciesCodeSequence|Patient Species Code Sequence
    00102203CSPatientSexNeutered|Patient's Sex Neutered
    00102210CSAnatomicalOrientationType|Anatomical Orientation Type
    00102292LOPatientBreedDescription|Patient Breed Description
    00102293SQPatientBreedCodeSequence|Patient Breed Code Sequence
    00102294SQBreedRegistrationSequence|Breed Registration Sequence
    00102295LOBreedRegistrationNumber|Breed Registration Number
    00102296SQBreedRegistryCodeSequence|Breed Registry Code Sequence
    00102297PNResponsiblePerson|Responsible Person
    00102298CSResponsiblePersonRole|Responsible Person Role
    00102299LOResponsibleOrganization|Responsible Organization
    00104000LTPatientComments|Patient Comments
    00109431FLExaminedBodyThickness|Examined Body Thickness
    00120010LOClinicalTrialSponsorName|Clinical Trial Sponsor Name
    00120020LOClinicalTrialProtocolID|Clinical Trial Protocol ID
    00120021LOClinicalTrialProtocolName|Clinical Trial Protocol Name
    00120022LOIssuerOfClinicalTrialProtocolID|Issuer of Clinical Trial Protocol ID
    00120023SQOtherClinicalTrialProtocolIDsSequence|Other Clinical Trial Protocol IDs Sequence
    00120030LOClinicalTrialSiteID|Clinical Trial Site ID
    00120031LOClinicalTrialSiteName|Clinical Trial Site Name
    00120032LOIssuerOfClinicalTrialSiteID|Issuer of Clinical Trial Site ID
    00120040LOClinicalTrialSubjectID|Clinical Trial Subject ID
    00120041LOIssuerOfClinicalTrialSubjectID|Issuer of Clinical Trial Subject ID
    00120042LOClinicalTrialSubjectReadingID|Clinical Trial Subject Reading ID
    00120043LOIssuerOfClinicalTrialSubjectReadingID|Issuer of Clinical Trial Subject Reading ID
    00120050LOClinicalTrialTimePointID|Clinical Trial Time Point ID
    00120051STClinicalTrialTimePointDescription|Clinical Trial Time Point Description
    00120052FDLongitudinalTemporalOffsetFromEvent|Longitudinal Temporal Offset from Event
    00120053CSLongitudinalTemporalEventType|Longitudinal Temporal Event Type
    00120054SQClinicalTrialTimePointTypeCodeSequence|Clinical Trial Time Point Type Code Sequence
    00120055LOIssuerOfClinicalTrialTimePointID|Issuer of Clinical Trial Time Point ID
    00120060LOClinicalTrialCoordinatingCenterName|Clinical Trial Coordinating Center Name
    00120062CSPatientIdentityRemoved|Patient Identity Removed
    00120063LODeidentificationMethod|De-identification Method
    00120064SQDeidentificationMethodCodeSequence|De-identification Method Code Sequence
    00120071LOClinicalTrialSeriesID|Clinical Trial Series ID
    00120072LOClinicalTrialSeriesDescription|Clinical Trial Series Description
    00120073LOIssuerOfClinicalTrialSeriesID|Issuer of Clinical Trial Series ID
    00120081LOClinicalTrialProtocolEthicsCommitteeName|Clinical Trial Protocol Ethics Committee Name
    00120082LOClinicalTrialProtocolEthicsCommitteeApprovalNumber|Clinical Trial Protocol Ethics Committee Approval Number
    00120083SQConsentForClinicalTrialUseSequence|Consent for Clinical Trial Use Sequence
    00120084CSDistributionType|Distribution Type
    00120085CSConsentForDistributionFlag|Consent for Distribution Flag
    00120086DAEthicsCommitteeApprovalEffectivenessStartDate|Ethics Committee Approval Effectiveness Start Date
    00120087DAEthicsCommitteeApprovalEffectivenessEndDate|Ethics Committee Approval Effectiveness End Date
    00140023STCADFileFormat|CAD File Format
    00140024STComponentReferenceSystem|Component Reference System
    00140025STComponentManufacturingProcedure|Component Manufacturing Procedure
    00140028STComponentManufacturer|Component Manufacturer
    00140030DSMaterialThickness|Material Thickness
    00140032DSMaterialPipeDiameter|Material Pipe Diameter
    00140034DSMaterialIsolationDiameter|Material Isolation Diameter
    00140042STMaterialGrade|Material Grade
    00140044STMaterialPropertiesDescription|Material Properties Description
    00140045STMaterialPropertiesFileFormatRetired|Material Properties File Format (Retired)
    00140046LTMaterialNotes|Material Notes
    00140050CSComponentShape|Component Shape
    00140052CSCurvatureType|Curvature Type
    00140054DSOuterDiameter|Outer Diameter
    00140056DSInnerDiameter|Inner Diameter
    00140100LOComponentWelderIDs|Component Welder IDs
    00140101CSSecondaryApprovalStatus|Secondary Approval Status
    00140102DASecondaryReviewDate|Secondary Review Date
    00140103TMSecondaryReviewTime|Secondary Review Time
    00140104PNSecondaryReviewerName|Secondary Reviewer Name
    00140105STRepairID|Repair ID
    00140106SQMultipleComponentApprovalSequence|Multiple Component Approval Sequence
    00140107CSOtherApprovalStatus|Other Approval Status
    00140108CSOtherSecondaryApprovalStatus|Other Secondary Approval Status
    00140200SQDataElementLabelSequence|Data Element Label Sequence
    00140201SQDataElementLabelItemSequence|Data Element Label Item Sequence
    00140202ATDataElement|Data Element
    00140203LODataElementName|Data Element Name
    00140204LODataElementDescription|Data Element Description
    00140205CSDataElementConditionality|Data Element Conditionality
    00140206ISDataElementMinimumCharacters|Data Element Minimum Characters
    00140207ISDataElementMaximumCharacters|Data Element Maximum Characters
    00141010STActualEnvironmentalConditions|Actual Environmental Conditions
    00141020DAExpiryDate|Expiry Date
    00141040STEnvironmentalConditions|Environmental Conditions
    00142002SQEvaluatorSequence|Evaluator Sequence
    00142004ISEvaluatorNumber|Evaluator Number
    00142006PNEvaluatorName|Evaluator Name
    00142008ISEvaluationAttempt|Evaluation Attempt
    00142012SQIndicationSequence|Indication Sequence
    00142014ISIndicationNumber|Indication Number
    00142016SHIndicationLabel|Indication Label
    00142018STIndicationDescription|Indication Description
    0014201ACSIndicationType|Indication Type
    0014201CCSIndicationDisposition|Indication Disposition
    0014201ESQIndicationROISequence|Indication ROI Sequence
    00142030SQIndicationPhysicalPropertySequence|Indication Physical Property Sequence
    00142032SHPropertyLabel|Property Label
    00142202ISCoordinateSystemNumberOfAxes|Coordinate System Number of Axes
    00142204SQCoordinateSystemAxesSequence|Coordinate System Axes Sequence
    00142206STCoordinateSystemAxisDescription|Coordinate System Axis Description
    00142208CSCoordinateSystemDataSetMapping|Coordinate System Data Set Mapping
    0014220AISCoordinateSystemAxisNumber|Coordinate System Axis Number
    0014220CCSCoordinateSystemAxisType|Coordinate System Axis Type
    0014220ECSCoordinateSystemAxisUnits|Coordinate System Axis Units
    00142210OBCoordinateSystemAxisValues|Coordinate System Axis Values
    00142220SQCoordinateSystemTransformSequence|Coordinate System Transform Sequence
    00142222STTransformDescription|Transform Description
    00142224ISTransformNumberOfAxes|Transform Number of Axes
    00142226ISTransformOrderOfAxes|Transform Order of Axes
    00142228CSTransformedAxisUnits|Transformed Axis Units
    0014222ADSCoordinateSystemTransformRotationAndScaleMatrix|Coordinate System Transform Rotation and Scale Matrix
    0014222CDSCoordinateSystemTransformTranslationMatrix|Coordinate System Transform Translation Matrix
    00143011DSInternalDetectorFrameTime|Internal Detector Frame Time
    00143012DSNumberOfFramesIntegrated|Number of Frames Integrated
    00143020SQDetectorTemperatureSequence|Detector Temperature Sequence
    00143022STSensorName|Sensor Name
    00143024DSHorizontalOffsetOfSensor|Horizontal Offset of Sensor
    00143026DSVerticalOffsetOfSensor|Vertical Offset of Sensor
    00143028DSSensorTemperature|Sensor Temperature
    00143040SQDarkCurrentSequence|Dark Current Sequence
    00143050OWDarkCurrentCounts|Dark Current Counts
    00143060SQGainCorrectionReferenceSequence|Gain Correction Reference Sequence
    00143070OWAirCounts|Air Counts
    00143071DSKVUsedInGainCalibration|KV Used in Gain Calibration
    00143072DSMAUsedInGainCalibration|MA Used in Gain Calibration
    00143073DSNumberOfFramesUsedForIntegration|Number of Frames Used for Integration
    00143074LOFilterMaterialUsedInGainCalibration|Filter Material Used in Gain Calibration
    00143075DSFilterThicknessUsedInGainCalibration|Filter Thickness Used in Gain Calibration
    00143076DADateOfGainCalibration|Date of Gain Calibration
    00143077TMTimeOfGainCalibration|Time of Gain Calibration
    00143080OBBadPixelImage|Bad Pixel Image
    00143099LTCalibrationNotes|Calibration Notes
    00143100LTLinearityCorrectionTechnique|Linearity Correction Technique
    00143101LTBeamHardeningCorrectionTechnique|Beam Hardening Correction Technique
    00144002SQPulserEquipmentSequence|Pulser Equipment Sequence
    00144004CSPulserType|Pulser Type
    00144006LTPulserNotes|Pulser Notes
    00144008SQReceiverEquipmentSequence|Receiver Equipment Sequence
    0014400ACSAmplifierType|Amplifier Type
    0014400CLTReceiverNotes|Receiver Notes
    0014400ESQPreAmplifierEquipmentSequence|Pre-Amplifier Equipment Sequence
    0014400FLTPreAmplifierNotes|Pre-Amplifier Notes
    00144010SQTransmitTransducerSequence|Transmit Transducer Sequence
    00144011SQReceiveTransducerSequence|Receive Transducer Sequence
    00144012USNumberOfElements|Number of Elements
    00144013CSElementShape|Element Shape
    00144014DSElementDimensionA|Element Dimension A
    00144015DSElementDimensionB|Element Dimension B
    00144016DSElementPitchA|Element Pitch A
    00144017DSMeasuredBeamDimensionA|Measured Beam Dimension A
    00144018DSMeasuredBeamDimensionB|Measured Beam Dimension B
    00144019DSLocationOfMeasuredBeamDiameter|Location of Measured Beam Diameter
    0014401ADSNominalFrequency|Nominal Frequency
    0014401BDSMeasuredCenterFrequency|Measured Center Frequency
    0014401CDSMeasuredBandwidth|Measured Bandwidth
    0014401DDSElementPitchB|Element Pitch B
    00144020SQPulserSettingsSequence|Pulser Settings Sequence
    00144022DSPulseWidth|Pulse Width
    00144024DSExcitationFrequency|Excitation Frequency
    00144026CSModulationType|Modulation Type
    00144028DSDamping|Damping
    00144030SQReceiverSettingsSequence|Receiver Settings Sequence
    00144031DSAcquiredSoundpathLength|Acquired Soundpath Length
    00144032CSAcquisitionCompressionType|Acquisition Compression Type
    00144033ISAcquisitionSampleSize|Acquisition Sample Size
    00144034DSRectifierSmoothing|Rectifier Smoothing
    00144035SQDACSequence|DAC Sequence
    00144036CSDACType|DAC Type
    00144038DSDACGainPoints|DAC Gain Points
    0014403ADSDACTimePoints|DAC Time Points
    0014403CDSDACAmplitude|DAC Amplitude
    00144040SQPreAmplifierSettingsSequence|Pre-Amplifier Settings Sequence
    00144050SQTransmitTransducerSettingsSequence|Transmit Transducer Settings Sequence
    00144051SQReceiveTransducerSettingsSequence|Receive Transducer Settings Sequence
    00144052DSIncidentAngle|Incident Angle
    00144054STCouplingTechnique|Coupling Technique
    00144056STCouplingMedium|Coupling Medium
    00144057DSCouplingVelocity|Coupling Velocity
    00144058DSProbeCenterLocationX|Probe Center Location X
    00144059DSProbeCenterLocationZ|Probe Center Location Z
    0014405ADSSoundPathLength|Sound Path Length
    0014405CSTDelayLawIdentifier|Delay Law Identifier
    00144060SQGateSettingsSequence|Gate Settings Sequence
    00144062DSGateThreshold|Gate Threshold
    00144064DSVelocityOfSound|Velocity of Sound
    00144070SQCalibrationSettingsSequence|Calibration Settings Sequence
    00144072STCalibrationProcedure|Calibration Procedure
    00144074SHProcedureVersion|Procedure Version
    00144076DAProcedureCreationDate|Procedure Creation Date
    00144078DAProcedureExpirationDate|Procedure Expiration Date
    0014407ADAProcedureLastModifiedDate|Procedure Last Modified Date
    0014407CTMCalibrationTime|Calibration Time
    0014407EDACalibrationDate|Calibration Date
    00144080SQProbeDriveEquipmentSequence|Probe Drive Equipment Sequence
    00144081CSDriveType|Drive Type
    00144082LTProbeDriveNotes|Probe Drive Notes
    00144083SQDriveProbeSequence|Drive Probe Sequence
    00144084DSProbeInductance|Probe Inductance
    00144085DSProbeResistance|Probe Resistance
    00144086SQReceiveProbeSequence|Receive Probe Sequence
    00144087SQProbeDriveSettingsSequence|Probe Drive Settings Sequence
    00144088DSBridgeResistors|Bridge Resistors
    00144089DSProbeOrientationAngle|Probe Orientation Angle
    0014408BDSUserSelectedGainY|User Selected Gain Y
    0014408CDSUserSelectedPhase|User Selected Phase
    0014408DDSUserSelectedOffsetX|User Selected Offset X
    0014408EDSUserSelectedOffsetY|User Selected Offset Y
    00144091SQChannelSettingsSequence|Channel Settings Sequence
    00144092DSChannelThreshold|Channel Threshold
    0014409ASQScannerSettingsSequence|Scanner Settings Sequence
    0014409BSTScanProcedure|Scan Procedure
    0014409CDSTranslationRateX|Translation Rate X
    0014409DDSTranslationRateY|Translation Rate Y
    0014409FDSChannelOverlap|Channel Overlap
    001440A0LOImageQualityIndicatorType|Image Quality Indicator Type
    001440A1LOImageQualityIndicatorMaterial|Image Quality Indicator Material
    001440A2LOImageQualityIndicatorSize|Image Quality Indicator Size
    00145002ISLINACEnergy|LINAC Energy
    00145004ISLINACOutput|LINAC Output
    00145100USActiveAperture|Active Aperture
    00145101DSTotalAperture|Total Aperture
    00145102DSApertureElevation|Aperture Elevation
    00145103DSMainLobeAngle|Main Lobe Angle
    00145104DSMainRoofAngle|Main Roof Angle
    00145105CSConnectorType|Connector Type
    00145106SHWedgeModelNumber|Wedge Model Number
    00145107DSWedgeAngleFloat|Wedge Angle Float
    00145108DSWedgeRoofAngle|Wedge Roof Angle
    00145109CSWedgeElement1Position|Wedge Element 1 Position
    0014510ADSWedgeMaterialVelocity|Wedge Material Velocity
    0014510BSHWedgeMaterial|Wedge Material
    0014510CDSWedgeOffsetZ|Wedge Offset Z
    0014510DDSWedgeOriginOffsetX|Wedge Origin Offset X
    0014510EDSWedgeTimeDelay|Wedge Time Delay
    0014510FSHWedgeName|Wedge Name
    00145110SHWedgeManufacturerName|Wedge Manufacturer Name
    00145111LOWedgeDescription|Wedge Description
    00145112DSNominalBeamAngle|Nominal Beam Angle
    00145113DSWedgeOffsetX|Wedge Offset X
    00145114DSWedgeOffsetY|Wedge Offset Y
    00145115DSWedgeTotalLength|Wedge Total Length
    00145116DSWedgeInContactLength|Wedge In Contact Length
    00145117DSWedgeFrontGap|Wedge Front Gap
    00145118DSWedgeTotalHeight|Wedge Total Height
    00145119DSWedgeFrontHeight|Wedge Front Height
    0014511ADSWedgeRearHeight|Wedge Rear Height
    0014511BDSWedgeTotalWidth|Wedge Total Width
    0014511CDSWedgeInContactWidth|Wedge In Contact Width
    0014511DDSWedgeChamferHeight|Wedge Chamfer Height
    0014511ECSWedgeCurve|Wedge Curve
    0014511FDSRadiusAlongWedge|Radius Along the Wedge
    00160001DSWhitePoint|White Point
    00160002DSPrimaryChromaticities|Primary Chromaticities
    00160003UTBatteryLevel|Battery Level
    00160004DSExposureTimeInSeconds|Exposure Time in Seconds
    00160005DSFNumber|F-Number
    00160006ISOECFRows|OECF Rows
    00160007ISOECFColumns|OECF Columns
    00160008UCOECFColumnNames|OECF Column Names
    00160009DSOECFValues|OECF Values
    0016000AISSpatialFrequencyResponseRows|Spatial Frequency Response Rows
    0016000BISSpatialFrequencyResponseColumns|Spatial Frequency Response Columns
    0016000CUCSpatialFrequencyResponseColumnNames|Spatial Frequency Response Column Names
    0016000DDSSpatialFrequencyResponseValues|Spatial Frequency Response Values
    0016000EISColorFilterArrayPatternRows|Color Filter Array Pattern Rows
    0016000FISColorFilterArrayPatternColumns|Color Filter Array Pattern Columns
    00160010DSColorFilterArrayPatternValues|Color Filter Array Pattern Values
    00160011USFlashFiringStatus|Flash Firing Status
    00160012USFlashReturnStatus|Flash Return Status
    00160013USFlashMode|Flash Mode
    00160014USFlashFunctionPresent|Flash Function Present
    00160015USFlashRedEyeMode|Flash Red Eye Mode
    00160016USExposureProgram|Exposure Program
    00160017UTSpectralSensitivity|Spectral Sensitivity
    00160018ISPhotographicSensitivity|Photographic Sensitivity
    00160019ISSelfTimerMode|Self Timer Mode
    0016001AUSSensitivityType|Sensitivity Type
    0016001BISStandardOutputSensitivity|Standard Output Sensitivity
    0016001CISRecommendedExposureIndex|Recommended Exposure Index
    0016001DISISOSpeed|ISO Speed
    0016001EISISOSpeedLatitudeyyy|ISO Speed Latitude yyy
    0016001FISISOSpeedLatitudezzz|ISO Speed Latitude zzz
    00160020UTEXIFVersion|EXIF Version
    00160021DSShutterSpeedValue|Shutter Speed Value
    00160022DSApertureValue|Aperture Value
    00160023DSBrightnessValue|Brightness Value
    00160024DSExposureBiasValue|Exposure Bias Value
    00160025DSMaxApertureValue|Max Aperture Value
    00160026DSSubjectDistance|Subject Distance
    00160027USMeteringMode|Metering Mode
    00160028USLightSource|Light Source
    00160029DSFocalLength|Focal Length
    0016002AISSubjectArea|Subject Area
    0016002BOBMakerNote|Maker Note
    00160030DSTemperature|Temperature
    00160031DSHumidity|Humidity
    00160032DSPressure|Pressure
    00160033DSWaterDepth|Water Depth
    00160034DSAcceleration|Acceleration
    00160035DSCameraElevationAngle|Camera Elevation Angle
    00160036DSFlashEnergy|Flash Energy
    00160037ISSubjectLocation|Subject Location
    00160038DSPhotographicExposureIndex|Photographic Exposure Index
    00160039USSensingMethod|Sensing Method
    0016003AUSFileSource|File Source
    0016003BUSSceneType|Scene Type
    00160041USCustomRendered|Custom Rendered
    00160042USExposureMode|Exposure Mode
    00160043USWhiteBalance|White Balance
    00160044DSDigitalZoomRatio|Digital Zoom Ratio
    00160045ISFocalLengthIn35mmFilm|Focal Length In 35mm Film
    00160046USSceneCaptureType|Scene Capture Type
    00160047USGainControl|Gain Control
    00160048USContrast|Contrast
    00160049USSaturation|Saturation
    0016004AUSSharpness|Sharpness
    0016004BOBDeviceSettingDescription|Device Setting Description
    0016004CUSSubjectDistanceRange|Subject Distance Range
    0016004DUTCameraOwnerName|Camera Owner Name
    0016004EDSLensSpecification|Lens Specification
    0016004FUTLensMake|Lens Make
    00160050UTLensModel|Lens Model
    00160051UTLensSerialNumber|Lens Serial Number
    00160061CSInteroperabilityIndex|Interoperability Index
    00160062OBInteroperabilityVersion|Interoperability Version
    00160070OBGPSVersionID|GPS Version ID
    00160071CSGPSLatitudeRef|GPS Latitude Ref
    00160072DSGPSLatitude|GPS Latitude
    00160073CSGPSLongitudeRef|GPS Longitude Ref
    00160074DSGPSLongitude|GPS Longitude
    00160075USGPSAltitudeRef|GPS Altitude Ref
    00160076DSGPSAltitude|GPS Altitude
    00160077DTGPSTimeStamp|GPS Time Stamp
    00160078UTGPSSatellites|GPS Satellites
    00160079CSGPSStatus|GPS Status
    0016007ACSGPSMeasureMode|GPS Measure Mode
    0016007BDSGPSDOP|GPS DOP
    0016007CCSGPSSpeedRef|GPS Speed Ref
    0016007DDSGPSSpeed|GPS Speed
    0016007ECSGPSTrackRef|GPS Track Ref
    0016007FDSGPSTrack|GPS Track
    00160080CSGPSImgDirectionRef|GPS Img Direction Ref
    00160081DSGPSImgDirection|GPS Img Direction
    00160082UTGPSMapDatum|GPS Map Datum
    00160083CSGPSDestLatitudeRef|GPS Dest Latitude Ref
    00160084DSGPSDestLatitude|GPS Dest Latitude
    00160085CSGPSDestLongitudeRef|GPS Dest Longitude Ref
    00160086DSGPSDestLongitude|GPS Dest Longitude
    00160087CSGPSDestBearingRef|GPS Dest Bearing Ref
    00160088DSGPSDestBearing|GPS Dest Bearing
    00160089CSGPSDestDistanceRef|GPS Dest Distance Ref
    0016008ADSGPSDestDistance|GPS Dest Distance
    0016008BOBGPSProcessingMethod|GPS Processing Method
    0016008COBGPSAreaInformation|GPS Area Information
    0016008DDTGPSDateStamp|GPS Date Stamp
    0016008EISGPSDifferential|GPS Differential
    00161001CSLightSourcePolarization|Light Source Polarization
    00161002DSEmitterColorTemperature|Emitter Color Temperature
    00161003CSContactMethod|Contact Method
    00161004CSImmersionMedia|Immersion Media
    00161005DSOpticalMagnificationFactor|Optical Magnification Factor
    00180010LOContrastBolusAgent|Contrast/Bolus Agent
    00180012SQContrastBolusAgentSequence|Contrast/Bolus Agent Sequence
    00180013FLContrastBolusT1Relaxivity|Contrast/Bolus T1 Relaxivity
    00180014SQContrastBolusAdministrationRouteSequence|Contrast/Bolus Administration Route Sequence
    00180015CSBodyPartExamined|Body Part Examined
    00180020CSScanningSequence|Scanning Sequence
    00180021CSSequenceVariant|Sequence Variant
    00180022CSScanOptions|Scan Options
    00180023CSMRAcquisitionType|MR Acquisition Type
    00180024SHSequenceName|Sequence Name
    00180025CSAngioFlag|Angio Flag
    00180026SQInterventionDrugInformationSequence|Intervention Drug Information Sequence
    00180027TMInterventionDrugStopTime|Intervention Drug Stop Time
    00180028DSInterventionDrugDose|Intervention Drug Dose
    00180029SQInterventionDrugCodeSequence|Intervention Drug Code Sequence
    0018002ASQAdditionalDrugSequence|Additional Drug Sequence
    00180030LORadionuclide|Radionuclide
    00180031LORadiopharmaceutical|Radiopharmaceutical
    00180032DSEnergyWindowCenterline|Energy Window Centerline
    00180033DSEnergyWindowTotalWidth|Energy Window Total Width
    00180034LOInterventionDrugName|Intervention Drug Name
    00180035TMInterventionDrugStartTime|Intervention Drug Start Time
    00180036SQInterventionSequence|Intervention Sequence
    00180037CSTherapyType|Therapy Type
    00180038CSInterventionStatus|Intervention Status
    00180039CSTherapyDescription|Therapy Description
    0018003ASTInterventionDescription|Intervention Description
    00180040ISCineRate|Cine Rate
    00180042CSInitialCineRunState|Initial Cine Run State
    00180050DSSliceThickness|Slice Thickness
    00180060DSKVP|KVP
    00180070ISCountsAccumulated|Counts Accumulated
    00180071CSAcquisitionTerminationCondition|Acquisition Termination Condition
    00180072DSEffectiveDuration|Effective Duration
    00180073CSAcquisitionStartCondition|Acquisition Start Condition
    00180074ISAcquisitionStartConditionData|Acquisition Start Condition Data
    00180075ISAcquisitionTerminationConditionData|Acquisition Termination Condition Data
    00180080DSRepetitionTime|Repetition Time
    00180081DSEchoTime|Echo Time
    00180082DSInversionTime|Inversion Time
    00180083DSNumberOfAverages|Number of Averages
    00180084DSImagingFrequency|Imaging Frequency
    00180085SHImagedNucleus|Imaged Nucleus
    00180086ISEchoNumbers|Echo Number(s)
    00180087DSMagneticFieldStrength|Magnetic Field Strength
    00180088DSSpacingBetweenSlices|Spacing Between Slices
    00180089ISNumberOfPhaseEncodingSteps|Number of Phase Encoding Steps
    00180090DSDataCollectionDiameter|Data Collection Diameter
    00180091ISEchoTrainLength|Echo Train Length
    00180093DSPercentSampling|Percent Sampling
    00180094DSPercentPhaseFieldOfView|Percent Phase Field of View
    00180095DSPixelBandwidth|Pixel Bandwidth
    00181000LODeviceSerialNumber|Device Serial Number
    00181002UIDeviceUID|Device UID
    00181003LODeviceID|Device ID
    00181004LOPlateID|Plate ID
    00181005LOGeneratorID|Generator ID
    00181006LOGridID|Grid ID
    00181007LOCassetteID|Cassette ID
    00181008LOGantryID|Gantry ID
    00181009UTUniqueDeviceIdentifier|Unique Device Identifier
    0018100ASQUDISequence|UDI Sequence
    0018100BUIManufacturerDeviceClassUID|Manufacturer's Device Class UID
    00181010LOSecondaryCaptureDeviceID|Secondary Capture Device ID
    00181011LOHardcopyCreationDeviceID|Hardcopy Creation Device ID
    00181012DADateOfSecondaryCapture|Date of Secondary Capture
    00181014TMTimeOfSecondaryCapture|Time of Secondary Capture
    00181016LOSecondaryCaptureDeviceManufacturer|Secondary Capture Device Manufacturer
    00181017LOHardcopyDeviceManufacturer|Hardcopy Device Manufacturer
    00181018LOSecondaryCaptureDeviceManufacturerModelName|Secondary Capture Device Manufacturer's Model Name
    00181019LOSecondaryCaptureDeviceSoftwareVersions|Secondary Capture Device Software Versions
    0018101ALOHardcopyDeviceSoftwareVersion|Hardcopy Device Software Version
    0018101BLOHardcopyDeviceManufacturerModelName|Hardcopy Device Manufacturer's Model Name
    00181020LOSoftwareVersions|Software Versions
    00181022SHVideoImageFormatAcquired|Video Image Format Acquired
    00181023LODigitalImageFormatAcquired|Digital Image Format Acquired
    00181030LOProtocolName|Protocol Name
    00181040LOContrastBolusRoute|Contrast/Bolus Route
    00181041DSContrastBolusVolume|Contrast/Bolus Volume
    00181042TMContrastBolusStartTime|Contrast/Bolus Start Time
    00181043TMContrastBolusStopTime|Contrast/Bolus Stop Time
    00181044DSContrastBolusTotalDose|Contrast/Bolus Total Dose
    00181045ISSyringeCounts|Syringe Counts
    00181046DSContrastFlowRate|Contrast Flow Rate
    00181047DSContrastFlowDuration|Contrast Flow Duration
    00181048CSContrastBolusIngredient|Contrast/Bolus Ingredient
    00181049DSContrastBolusIngredientConcentration|Contrast/Bolus Ingredient Concentration
    00181050DSSpatialResolution|Spatial Resolution
    00181060DSTriggerTime|Trigger Time
    00181061LOTriggerSourceOrType|Trigger Source or Type
    00181062ISNominalInterval|Nominal Interval
    00181063DSFrameTime|Frame Time
    00181064LOCardiacFramingType|Cardiac Framing Type
    00181065DSFrameTimeVector|Frame Time Vector
    00181066DSFrameDelay|Frame Delay
    00181067DSImageTriggerDelay|Image Trigger Delay
    00181068DSMultiplexGroupTimeOffset|Multiplex Group Time Offset
    00181069DSTriggerTimeOffset|Trigger Time Offset
    0018106ACSSynchronizationTrigger|Synchronization Trigger
    0018106CUSSynchronizationChannel|Synchronization Channel
    0018106EULTriggerSamplePosition|Trigger Sample Position
    00181070LORadiopharmaceuticalRoute|Radiopharmaceutical Route
    00181071DSRadiopharmaceuticalVolume|Radiopharmaceutical Volume
    00181072TMRadiopharmaceuticalStartTime|Radiopharmaceutical Start Time
    00181073TMRadiopharmaceuticalStopTime|Radiopharmaceutical Stop Time
    00181074DSRadionuclideTotalDose|Radionuclide Total Dose
    00181075DSRadionuclideHalfLife|Radionuclide Half Life
    00181076DSRadionuclidePositronFraction|Radionuclide Positron Fraction
    00181077DSRadiopharmaceuticalSpecificActivity|Radiopharmaceutical Specific Activity
    00181078DTRadiopharmaceuticalStartDateTime|Radiopharmaceutical Start DateTime
    00181079DTRadiopharmaceuticalStopDateTime|Radiopharmaceutical Stop DateTime
    00181080CSBeatRejectionFlag|Beat Rejection Flag
    00181081ISLowRRValue|Low R-R Value
    00181082ISHighRRValue|High R-R Value
    00181083ISIntervalsAcquired|Intervals Acquired
    00181084ISIntervalsRejected|Intervals Rejected
    00181085LOPVCRejection|PVC Rejection
    00181086ISSkipBeats|Skip Beats
    00181088ISHeartRate|Heart Rate
    00181090ISCardiacNumberOfImages|Cardiac Number of Images
    00181094ISTriggerWindow|Trigger Window
    00181100DSReconstructionDiameter|Reconstruction Diameter
    00181110DSDistanceSourceToDetector|Distance Source to Detector
    00181111DSDistanceSourceToPatient|Distance Source to Patient
    00181114DSEstimatedRadiographicMagnificationFactor|Estimated Radiographic Magnification Factor
    00181120DSGantryDetectorTilt|Gantry/Detector Tilt
    00181121DSGantryDetectorSlew|Gantry/Detector Slew
    00181130DSTableHeight|Table Height
    00181131DSTableTraverse|Table Traverse
    00181134CSTableMotion|Table Motion
    00181135DSTableVerticalIncrement|Table Vertical Increment
    00181136DSTableLateralIncrement|Table Lateral Increment
    00181137DSTableLongitudinalIncrement|Table Longitudinal Increment
    00181138DSTableAngle|Table Angle
    0018113ACSTableType|Table Type
    00181140CSRotationDirection|Rotation Direction
    00181141DSAngularPosition|Angular Position
    00181142DSRadialPosition|Radial Position
    00181143DSScanArc|Scan Arc
    00181144DSAngularStep|Angular Step
    00181145DSCenterOfRotationOffset|Center of Rotation Offset
    00181146DSRotationOffset|Rotation Offset
    00181147CSFieldOfViewShape|Field of View Shape
    00181149ISFieldOfViewDimensions|Field of View Dimension(s)
    00181150ISExposureTime|Exposure Time
    00181151ISXRayTubeCurrent|X-Ray Tube Current
    00181152ISExposure|Exposure
    00181153ISExposureInuAs|Exposure in uAs
    00181154DSAveragePulseWidth|Average Pulse Width
    00181155CSRadiationSetting|Radiation Setting
    00181156CSRectificationType|Rectification Type
    0018115ACSRadiationMode|Radiation Mode
    0018115EDSImageAndFluoroscopyAreaDoseProduct|Image and Fluoroscopy Area Dose Product
    00181160SHFilterType|Filter Type
    00181161LOTypeOfFilters|Type of Filters
    00181162DSIntensifierSize|Intensifier Size
    00181164DSImagerPixelSpacing|Imager Pixel Spacing
    00181166CSGrid|Grid
    00181170ISGeneratorPower|Generator Power
    00181180SHCollimatorGridName|Collimator/grid Name
    00181181CSCollimatorType|Collimator Type
    00181182ISFocalDistance|Focal Distance
    00181183DSXFocusCenter|X Focus Center
    00181184DSYFocusCenter|Y Focus Center
    00181190DSFocalSpots|Focal Spot(s)
    00181191CSAnodeTargetMaterial|Anode Target Material
    001811A0DSBodyPartThickness|Body Part Thickness
    001811A2DSCompressionForce|Compression Force
    001811A3DSCompressionPressure|Compression Pressure
    001811A4LOPaddleDescription|Paddle Description
    001811A5DSCompressionContactArea|Compression Contact Area
    001811B0LOAcquisitionMode|Acquisition Mode
    001811B1LODoseModeName|Dose Mode Name
    001811B2CSAcquiredSubtractionMaskFlag|Acquired Subtraction Mask Flag
    001811B3CSFluoroscopyPersistenceFlag|Fluoroscopy Persistence Flag
    001811B4CSFluoroscopyLastImageHoldPersistenceFlag|Fluoroscopy Last Image Hold Persistence Flag
    001811B5ISUpperLimitNumberOfPersistentFluoroscopyFrames|Upper Limit Number Of Persistent Fluoroscopy Frames
    001811B6CSContrastBolusAutoInjectionTriggerFlag|Contrast/Bolus Auto Injection Trigger Flag
    001811B7FDContrastBolusInjectionDelay|Contrast/Bolus Injection Delay
    001811B8SQXAAcquisitionPhaseDetailsSequence|XA Acquisition Phase Details Sequence
    001811B9FDXAAcquisitionFrameRate|XA Acquisition Frame Rate
    001811BASQXAPlaneDetailsSequence|XA Plane Details Sequence
    001811BBLOAcquisitionFieldOfViewLabel|Acquisition Field of View Label
    001811BCSQXRayFilterDetailsSequence|X-Ray Filter Details Sequence
    001811BDFDXAAcquisitionDuration|XA Acquisition Duration
    001811BECSReconstructionPipelineType|Reconstruction Pipeline Type
    001811BFSQImageFilterDetailsSequence|Image Filter Details Sequence
    001811C0CSAppliedMaskSubtractionFlag|Applied Mask Subtraction Flag
    001811C1SQRequestedSeriesDescriptionCodeSequence|Requested Series Description Code Sequence
    00181200DADateOfLastCalibration|Date of Last Calibration
    00181201TMTimeOfLastCalibration|Time of Last Calibration
    00181202DTDateTimeOfLastCalibration|DateTime of Last Calibration
    00181203DTCalibrationDateTime|Calibration DateTime
    00181204DADateOfManufacture|Date of Manufacture
    00181205DADateOfInstallation|Date of Installation
    00181210SHConvolutionKernel|Convolution Kernel
    00181240ISUpperLowerPixelValues|Upper/Lower Pixel Values
    00181242ISActualFrameDuration|Actual Frame Duration
    00181243ISCountRate|Count Rate
    00181244USPreferredPlaybackSequencing|Preferred Playback Sequencing
    00181250SHReceiveCoilName|Receive Coil Name
    00181251SHTransmitCoilName|Transmit Coil Name
    00181260SHPlateType|Plate Type
    00181261LOPhosphorType|Phosphor Type
    00181271FDWaterEquivalentDiameter|Water Equivalent Diameter
    00181272SQWaterEquivalentDiameterCalculationMethodCodeSequence|Water Equivalent Diameter Calculation Method Code Sequence
    00181300DSScanVelocity|Scan Velocity
    00181301CSWholeBodyTechnique|Whole Body Technique
    00181302ISScanLength|Scan Length
    00181310USAcquisitionMatrix|Acquisition Matrix
    00181312CSInPlanePhaseEncodingDirection|In-plane Phase Encoding Direction
    00181314DSFlipAngle|Flip Angle
    00181315CSVariableFlipAngleFlag|Variable Flip Angle Flag
    00181316DSSAR|SAR
    00181318DSdBdt|dB/dt
    00181320FLB1rms|B1rms
    00181400LOAcquisitionDeviceProcessingDescription|Acquisition Device Processing Description
    00181401LOAcquisitionDeviceProcessingCode|Acquisition Device Processing Code
    00181402CSCassetteOrientation|Cassette Orientation
    00181403CSCassetteSize|Cassette Size
    00181404USExposuresOnPlate|Exposures on Plate
    00181405ISRelativeXRayExposure|Relative X-Ray Exposure
    00181411DSExposureIndex|Exposure Index
    00181412DSTargetExposureIndex|Target Exposure Index
    00181413DSDeviationIndex|Deviation Index
    00181450DSColumnAngulation|Column Angulation
    00181460DSTomoLayerHeight|Tomo Layer Height
    00181470DSTomoAngle|Tomo Angle
    00181480DSTomoTime|Tomo Time
    00181490CSTomoType|Tomo Type
    00181491CSTomoClass|Tomo Class
    00181495ISNumberOfTomosynthesisSourceImages|Number of Tomosynthesis Source Images
    00181500CSPositionerMotion|Positioner Motion
    00181508CSPositionerType|Positioner Type
    00181510DSPositionerPrimaryAngle|Positioner Primary Angle
    00181511DSPositionerSecondaryAngle|Positioner Secondary Angle
    00181520DSPositionerPrimaryAngleIncrement|Positioner Primary Angle Increment
    00181521DSPositionerSecondaryAngleIncrement|Positioner Secondary Angle Increment
    00181530DSDetectorPrimaryAngle|Detector Primary Angle
    00181531DSDetectorSecondaryAngle|Detector Secondary Angle
    00181600CSShutterShape|Shutter Shape
    00181602ISShutterLeftVerticalEdge|Shutter Left Vertical Edge
    00181604ISShutterRightVerticalEdge|Shutter Right Vertical Edge
    00181606ISShutterUpperHorizontalEdge|Shutter Upper Horizontal Edge
    00181608ISShutterLowerHorizontalEdge|Shutter Lower Horizontal Edge
    00181610ISCenterOfCircularShutter|Center of Circular Shutter
    00181612ISRadiusOfCircularShutter|Radius of Circular Shutter
    00181620ISVerticesOfThePolygonalShutter|Vertices of the Polygonal Shutter
    00181622USShutterPresentationValue|Shutter Presentation Value
    00181623USShutterOverlayGroup|Shutter Overlay Group
    00181624USShutterPresentationColorCIELabValue|Shutter Presentation Color CIELab Value
    00181630CSOutlineShapeType|Outline Shape Type
    00181631FDOutlineLeftVerticalEdge|Outline Left Vertical Edge
    00181632FDOutlineRightVerticalEdge|Outline Right Vertical Edge
    00181633FDOutlineUpperHorizontalEdge|Outline Upper Horizontal Edge
    00181634FDOutlineLowerHorizontalEdge|Outline Lower Horizontal Edge
    00181635FDCenterOfCircularOutline|Center of Circular Outline
    00181636FDDiameterOfCircularOutline|Diameter of Circular Outline
    00181637ULNumberOfPolygonalVertices|Number of Polygonal Vertices
    00181638OFVerticesOfThePolygonalOutline|Vertices of the Polygonal Outline
    00181700CSCollimatorShape|Collimator Shape
    00181702ISCollimatorLeftVerticalEdge|Collimator Left Vertical Edge
    00181704ISCollimatorRightVerticalEdge|Collimator Right Vertical Edge
    00181706ISCollimatorUpperHorizontalEdge|Collimator Upper Horizontal Edge
    00181708ISCollimatorLowerHorizontalEdge|Collimator Lower Horizontal Edge
    00181710ISCenterOfCircularCollimator|Center of Circular Collimator
    00181712ISRadiusOfCircularCollimator|Radius of Circular Collimator
    00181720ISVerticesOfThePolygonalCollimator|Vertices of the Polygonal Collimator
    00181800CSAcquisitionTimeSynchronized|Acquisition Time Synchronized
    00181801SHTimeSource|Time Source
    00181802CSTimeDistributionProtocol|Time Distribution Protocol
    00181803LONTPSourceAddress|NTP Source Address
    00182001ISPageNumberVector|Page Number Vector
    00182002SHFrameLabelVector|Frame Label Vector
    00182003DSFramePrimaryAngleVector|Frame Primary Angle Vector
    00182004DSFrameSecondaryAngleVector|Frame Secondary Angle Vector
    00182005DSSliceLocationVector|Slice Location Vector
    00182006SHDisplayWindowLabelVector|Display Window Label Vector
    00182010DSNominalScannedPixelSpacing|Nominal Scanned Pixel Spacing
    00182020CSDigitizingDeviceTransportDirection|Digitizing Device Transport Direction
    00182030DSRotationOfScannedFilm|Rotation of Scanned Film
    00182041SQBiopsyTargetSequence|Biopsy Target Sequence
    00182042UITargetUID|Target UID
    00182043FLLocalizingCursorPosition|Localizing Cursor Position
    00182044FLCalculatedTargetPosition|Calculated Target Position
    00182045SHTargetLabel|Target Label
    00182046FLDisplayedZValue|Displayed Z Value
    00183100CSIVUSAcquisition|IVUS Acquisition
    00183101DSIVUSPullbackRate|IVUS Pullback Rate
    00183102DSIVUSGatedRate|IVUS Gated Rate
    00183103ISIVUSPullbackStartFrameNumber|IVUS Pullback Start Frame Number
    00183104ISIVUSPullbackStopFrameNumber|IVUS Pullback Stop Frame Number
    00183105ISLesionNumber|Lesion Number
    00184000LTAcquisitionComments|Acquisition Comments
    00185000SHOutputPower|Output Power
    00185010LOTransducerData|Transducer Data
    00185011SQTransducerIdentificationSequence|Transducer Identification Sequence
    00185012DSFocusDepth|Focus Depth
    00185020LOProcessingFunction|Processing Function
    00185021LOPostprocessingFunction|Postprocessing Function
    00185022DSMechanicalIndex|Mechanical Index
    00185024DSBoneThermalIndex|Bone Thermal Index
    00185026DSCranialThermalIndex|Cranial Thermal Index
    00185027DSSoftTissueThermalIndex|Soft Tissue Thermal Index
    00185028DSSoftTissueFocusThermalIndex|Soft Tissue-focus Thermal Index
    00185029DSSoftTissueSurfaceThermalIndex|Soft Tissue-surface Thermal Index
    00185030DSDynamicRange|Dynamic Range
    00185040DSTotalGain|Total Gain
    00185050ISDepthOfScanField|Depth of Scan Field
    00185100CSPatientPosition|Patient Position
    00185101CSViewPosition|View Position
    00185104SQProjectionEponymousNameCodeSequence|Projection Eponymous Name Code Sequence
    00185210DSImageTransformationMatrix|Image Transformation Matrix
    00185212DSImageTranslationVector|Image Translation Vector
    00186000DSSensitivity|Sensitivity
    00186011SQSequenceOfUltrasoundRegions|Sequence of Ultrasound Regions
    00186012USRegionSpatialFormat|Region Spatial Format
    00186014USRegionDataType|Region Data Type
    00186016ULRegionFlags|Region Flags
    00186018ULRegionLocationMinX0|Region Location Min X0
    0018601AULRegionLocationMinY0|Region Location Min Y0
    0018601CULRegionLocationMaxX1|Region Location Max X1
    0018601EULRegionLocationMaxY1|Region Location Max Y1
    00186020SLReferencePixelX0|Reference Pixel X0
    00186022SLReferencePixelY0|Reference Pixel Y0
    00186024USPhysicalUnitsXDirection|Physical Units X Direction
    00186026USPhysicalUnitsYDirection|Physical Units Y Direction
    00186028FDReferencePixelPhysicalValueX|Reference Pixel Physical Value X
    0018602AFDReferencePixelPhysicalValueY|Reference Pixel Physical Value Y
    0018602CFDPhysicalDeltaX|Physical Delta X
    0018602EFDPhysicalDeltaY|Physical Delta Y
    00186030ULTransducerFrequency|Transducer Frequency
    00186031CSTransducerType|Transducer Type
    00186032ULPulseRepetitionFrequency|Pulse Repetition Frequency
    00186034FDDopplerCorrectionAngle|Doppler Correction Angle
    00186036FDSteeringAngle|Steering Angle
    00186038ULDopplerSampleVolumeXPositionRetired|Doppler Sample Volume X Position (Retired)
    00186039SLDopplerSampleVolumeXPosition|Doppler Sample Volume X Position
    0018603AULDopplerSampleVolumeYPositionRetired|Doppler Sample Volume Y Position (Retired)
    0018603BSLDopplerSampleVolumeYPosition|Doppler Sample Volume Y Position
    0018603CULTMLinePositionX0Retired|TM-Line Position X0 (Retired)
    0018603DSLTMLinePositionX0|TM-Line Position X0
    0018603EULTMLinePositionY0Retired|TM-Line Position Y0 (Retired)
    0018603FSLTMLinePositionY0|TM-Line Position Y0
    00186040ULTMLinePositionX1Retired|TM-Line Position X1 (Retired)
    00186041SLTMLinePositionX1|TM-Line Position X1
    00186042ULTMLinePositionY1Retired|TM-Line Position Y1 (Retired)
    00186043SLTMLinePositionY1|TM-Line Position Y1
    00186044USPixelComponentOrganization|Pixel Component Organization
    00186046ULPixelComponentMask|Pixel Component Mask
    00186048ULPixelComponentRangeStart|Pixel Component Range Start
    0018604AULPixelComponentRangeStop|Pixel Component Range Stop
    0018604CUSPixelComponentPhysicalUnits|Pixel Component Physical Units
    0018604EUSPixelComponentDataType|Pixel Component Data Type
    00186050ULNumberOfTableBreakPoints|Number of Table Break Points
    00186052ULTableOfXBreakPoints|Table of X Break Points
    00186054FDTableOfYBreakPoints|Table of Y Break Points
    00186056ULNumberOfTableEntries|Number of Table Entries
    00186058ULTableOfPixelValues|Table of Pixel Values
    0018605AFLTableOfParameterValues|Table of Parameter Values
    00186060FLRWaveTimeVector|R Wave Time Vector
    00186070USActiveImageAreaOverlayGroup|Active Image Area Overlay Group
    00187000CSDetectorConditionsNominalFlag|Detector Conditions Nominal Flag
    00187001DSDetectorTemperature|Detector Temperature
    00187004CSDetectorType|Detector Type
    00187005CSDetectorConfiguration|Detector Configuration
    00187006LTDetectorDescription|Detector Description
    00187008LTDetectorMode|Detector Mode
    0018700ASHDetectorID|Detector ID
    0018700CDADateOfLastDetectorCalibration|Date of Last Detector Calibration
    0018700ETMTimeOfLastDetectorCalibration|Time of Last Detector Calibration
    00187010ISExposuresOnDetectorSinceLastCalibration|Exposures on Detector Since Last Calibration
    00187011ISExposuresOnDetectorSinceManufactured|Exposures on Detector Since Manufactured
    00187012DSDetectorTimeSinceLastExposure|Detector Time Since Last Exposure
    00187014DSDetectorActiveTime|Detector Active Time
    00187016DSDetectorActivationOffsetFromExposure|Detector Activation Offset From Exposure
    0018701ADSDetectorBinning|Detector Binning
    00187020DSDetectorElementPhysicalSize|Detector Element Physical Size
    00187022DSDetectorElementSpacing|Detector Element Spacing
    00187024CSDetectorActiveShape|Detector Active Shape
    00187026DSDetectorActiveDimensions|Detector Active Dimension(s)
    00187028DSDetectorActiveOrigin|Detector Active Origin
    0018702ALODetectorManufacturerName|Detector Manufacturer Name
    0018702BLODetectorManufacturerModelName|Detector Manufacturer's Model Name
    00187030DSFieldOfViewOrigin|Field of View Origin
    00187032DSFieldOfViewRotation|Field of View Rotation
    00187034CSFieldOfViewHorizontalFlip|Field of View Horizontal Flip
    00187036FLPixelDataAreaOriginRelativeToFOV|Pixel Data Area Origin Relative To FOV
    00187038FLPixelDataAreaRotationAngleRelativeToFOV|Pixel Data Area Rotation Angle Relative To FOV
    00187040LTGridAbsorbingMaterial|Grid Absorbing Material
    00187041LTGridSpacingMaterial|Grid Spacing Material
    00187042DSGridThickness|Grid Thickness
    00187044DSGridPitch|Grid Pitch
    00187046ISGridAspectRatio|Grid Aspect Ratio
    00187048DSGridPeriod|Grid Period
    0018704CDSGridFocalDistance|Grid Focal Distance
    00187050CSFilterMaterial|Filter Material
    00187052DSFilterThicknessMinimum|Filter Thickness Minimum
    00187054DSFilterThicknessMaximum|Filter Thickness Maximum
    00187056FLFilterBeamPathLengthMinimum|Filter Beam Path Length Minimum
    00187058FLFilterBeamPathLengthMaximum|Filter Beam Path Length Maximum
    00187060CSExposureControlMode|Exposure Control Mode
    00187062LTExposureControlModeDescription|Exposure Control Mode Description
    00187064CSExposureStatus|Exposure Status
    00187065DSPhototimerSetting|Phototimer Setting
    00188150DSExposureTimeInuS|Exposure Time in uS
    00188151DSXRayTubeCurrentInuA|X-Ray Tube Current in uA
    00189004CSContentQualification|Content Qualification
    00189005SHPulseSequenceName|Pulse Sequence Name
    00189006SQMRImagingModifierSequence|MR Imaging Modifier Sequence
    00189008CSEchoPulseSequence|Echo Pulse Sequence
    00189009CSInversionRecovery|Inversion Recovery
    00189010CSFlowCompensation|Flow Compensation
    00189011CSMultipleSpinEcho|Multiple Spin Echo
    00189012CSMultiPlanarExcitation|Multi-planar Excitation
    00189014CSPhaseContrast|Phase Contrast
    00189015CSTimeOfFlightContrast|Time of Flight Contrast
    00189016CSSpoiling|Spoiling
    00189017CSSteadyStatePulseSequence|Steady State Pulse Sequence
    00189018CSEchoPlanarPulseSequence|Echo Planar Pulse Sequence
    00189019FDTagAngleFirstAxis|Tag Angle First Axis
    00189020CSMagnetizationTransfer|Magnetization Transfer
    00189021CST2Preparation|T2 Preparation
    00189022CSBloodSignalNulling|Blood Signal Nulling
    00189024CSSaturationRecovery|Saturation Recovery
    00189025CSSpectrallySelectedSuppression|Spectrally Selected Suppression
    00189026CSSpectrallySelectedExcitation|Spectrally Selected Excitation
    00189027CSSpatialPresaturation|Spatial Pre-saturation
    00189028CSTagging|Tagging
    00189029CSOversamplingPhase|Oversampling Phase
    00189030FDTagSpacingFirstDimension|Tag Spacing First Dimension
    00189032CSGeometryOfKSpaceTraversal|Geometry of k-Space Traversal
    00189033CSSegmentedKSpaceTraversal|Segmented k-Space Traversal
    00189034CSRectilinearPhaseEncodeReordering|Rectilinear Phase Encode Reordering
    00189035FDTagThickness|Tag Thickness
    00189036CSPartialFourierDirection|Partial Fourier Direction
    00189037CSCardiacSynchronizationTechnique|Cardiac Synchronization Technique
    00189041LOReceiveCoilManufacturerName|Receive Coil Manufacturer Name
    00189042SQMRReceiveCoilSequence|MR Receive Coil Sequence
    00189043CSReceiveCoilType|Receive Coil Type
    00189044CSQuadratureReceiveCoil|Quadrature Receive Coil
    00189045SQMultiCoilDefinitionSequence|Multi-Coil Definition Sequence
    00189046LOMultiCoilConfiguration|Multi-Coil Configuration
    00189047SHMultiCoilElementName|Multi-Coil Element Name
    00189048CSMultiCoilElementUsed|Multi-Coil Element Used
    00189049SQMRTransmitCoilSequence|MR Transmit Coil Sequence
    00189050LOTransmitCoilManufacturerName|Transmit Coil Manufacturer Name
    00189051CSTransmitCoilType|Transmit Coil Type
    00189052FDSpectralWidth|Spectral Width
    00189053FDChemicalShiftReference|Chemical Shift Reference
    00189054CSVolumeLocalizationTechnique|Volume Localization Technique
    00189058USMRAcquisitionFrequencyEncodingSteps|MR Acquisition Frequency Encoding Steps
    00189059CSDecoupling|De-coupling
    00189060CSDecoupledNucleus|De-coupled Nucleus
    00189061FDDecouplingFrequency|De-coupling Frequency
    00189062CSDecouplingMethod|De-coupling Method
    00189063FDDecouplingChemicalShiftReference|De-coupling Chemical Shift Reference
    00189064CSKSpaceFiltering|k-space Filtering
    00189065CSTimeDomainFiltering|Time Domain Filtering
    00189066USNumberOfZeroFills|Number of Zero Fills
    00189067CSBaselineCorrection|Baseline Correction
    00189069FDParallelReductionFactorInPlane|Parallel Reduction Factor In-plane
    00189070FDCardiacRRIntervalSpecified|Cardiac R-R Interval Specified
    00189073FDAcquisitionDuration|Acquisition Duration
    00189074DTFrameAcquisitionDateTime|Frame Acquisition DateTime
    00189075CSDiffusionDirectionality|Diffusion Directionality
    00189076SQDiffusionGradientDirectionSequence|Diffusion Gradient Direction Sequence
    00189077CSParallelAcquisition|Parallel Acquisition
    00189078CSParallelAcquisitionTechnique|Parallel Acquisition Technique
    00189079FDInversionTimes|Inversion Times
    00189080STMetaboliteMapDescription|Metabolite Map Description
    00189081CSPartialFourier|Partial Fourier
    00189082FDEffectiveEchoTime|Effective Echo Time
    00189083SQMetaboliteMapCodeSequence|Metabolite Map Code Sequence
    00189084SQChemicalShiftSequence|Chemical Shift Sequence
    00189085CSCardiacSignalSource|Cardiac Signal Source
    00189087FDDiffusionBValue|Diffusion b-value
    00189089FDDiffusionGradientOrientation|Diffusion Gradient Orientation
    00189090FDVelocityEncodingDirection|Velocity Encoding Direction
    00189091FDVelocityEncodingMinimumValue|Velocity Encoding Minimum Value
    00189092SQVelocityEncodingAcquisitionSequence|Velocity Encoding Acquisition Sequence
    00189093USNumberOfKSpaceTrajectories|Number of k-Space Trajectories
    00189094CSCoverageOfKSpace|Coverage of k-Space
    00189095ULSpectroscopyAcquisitionPhaseRows|Spectroscopy Acquisition Phase Rows
    00189096FDParallelReductionFactorInPlaneRetired|Parallel Reduction Factor In-plane (Retired)
    00189098FDTransmitterFrequency|Transmitter Frequency
    00189100CSResonantNucleus|Resonant Nucleus
    00189101CSFrequencyCorrection|Frequency Correction
    00189103SQMRSpectroscopyFOVGeometrySequence|MR Spectroscopy FOV/Geometry Sequence
    00189104FDSlabThickness|Slab Thickness
    00189105FDSlabOrientation|Slab Orientation
    00189106FDMidSlabPosition|Mid Slab Position
    00189107SQMRSpatialSaturationSequence|MR Spatial Saturation Sequence
    00189112SQMRTimingAndRelatedParametersSequence|MR Timing and Related Parameters Sequence
    00189114SQMREchoSequence|MR Echo Sequence
    00189115SQMRModifierSequence|MR Modifier Sequence
    00189117SQMRDiffusionSequence|MR Diffusion Sequence
    00189118SQCardiacSynchronizationSequence|Cardiac Synchronization Sequence
    00189119SQMRAveragesSequence|MR Averages Sequence
    00189125SQMRFOVGeometrySequence|MR FOV/Geometry Sequence
    00189126SQVolumeLocalizationSequence|Volume Localization Sequence
    00189127ULSpectroscopyAcquisitionDataColumns|Spectroscopy Acquisition Data Columns
    00189147CSDiffusionAnisotropyType|Diffusion Anisotropy Type
    00189151DTFrameReferenceDateTime|Frame Reference DateTime
    00189152SQMRMetaboliteMapSequence|MR Metabolite Map Sequence
    00189155FDParallelReductionFactorOutOfPlane|Parallel Reduction Factor out-of-plane
    00189159ULSpectroscopyAcquisitionOutOfPlanePhaseSteps|Spectroscopy Acquisition Out-of-plane Phase Steps
    00189166CSBulkMotionStatus|Bulk Motion Status
    00189168FDParallelReductionFactorSecondInPlane|Parallel Reduction Factor Second In-plane
    00189169CSCardiacBeatRejectionTechnique|Cardiac Beat Rejection Technique
    00189170CSRespiratoryMotionCompensationTechnique|Respiratory Motion Compensation Technique
    00189171CSRespiratorySignalSource|Respiratory Signal Source
    00189172CSBulkMotionCompensationTechnique|Bulk Motion Compensation Technique
    00189173CSBulkMotionSignalSource|Bulk Motion Signal Source
    00189174CSApplicableSafetyStandardAgency|Applicable Safety Standard Agency
    00189175LOApplicableSafetyStandardDescription|Applicable Safety Standard Description
    00189176SQOperatingModeSequence|Operating Mode Sequence
    00189177CSOperatingModeType|Operating Mode Type
    00189178CSOperatingMode|Operating Mode
    00189179CSSpecificAbsorptionRateDefinition|Specific Absorption Rate Definition
    00189180CSGradientOutputType|Gradient Output Type
    00189181FDSpecificAbsorptionRateValue|Specific Absorption Rate Value
    00189182FDGradientOutput|Gradient Output
    00189183CSFlowCompensationDirection|Flow Compensation Direction
    00189184FDTaggingDelay|Tagging Delay
    00189185STRespiratoryMotionCompensationTechniqueDescription|Respiratory Motion Compensation Technique Description
    00189186SHRespiratorySignalSourceID|Respiratory Signal Source ID
    00189195FDChemicalShiftMinimumIntegrationLimitInHz|Chemical Shift Minimum Integration Limit in Hz
    00189196FDChemicalShiftMaximumIntegrationLimitInHz|Chemical Shift Maximum Integration Limit in Hz
    00189197SQMRVelocityEncodingSequence|MR Velocity Encoding Sequence
    00189198CSFirstOrderPhaseCorrection|First Order Phase Correction
    00189199CSWaterReferencedPhaseCorrection|Water Referenced Phase Correction
    00189200CSMRSpectroscopyAcquisitionType|MR Spectroscopy Acquisition Type
    00189214CSRespiratoryCyclePosition|Respiratory Cycle Position
    00189217FDVelocityEncodingMaximumValue|Velocity Encoding Maximum Value
    00189218FDTagSpacingSecondDimension|Tag Spacing Second Dimension
    00189219SSTagAngleSecondAxis|Tag Angle Second Axis
    00189220FDFrameAcquisitionDuration|Frame Acquisition Duration
    00189226SQMRImageFrameTypeSequence|MR Image Frame Type Sequence
    00189227SQMRSpectroscopyFrameTypeSequence|MR Spectroscopy Frame Type Sequence
    00189231USMRAcquisitionPhaseEncodingStepsInPlane|MR Acquisition Phase Encoding Steps in-plane
    00189232USMRAcquisitionPhaseEncodingStepsOutOfPlane|MR Acquisition Phase Encoding Steps out-of-plane
    00189234ULSpectroscopyAcquisitionPhaseColumns|Spectroscopy Acquisition Phase Columns
    00189236CSCardiacCyclePosition|Cardiac Cycle Position
    00189239SQSpecificAbsorptionRateSequence|Specific Absorption Rate Sequence
    00189240USRFEchoTrainLength|RF Echo Train Length
    00189241USGradientEchoTrainLength|Gradient Echo Train Length
    00189250CSArterialSpinLabelingContrast|Arterial Spin Labeling Contrast
    00189251SQMRArterialSpinLabelingSequence|MR Arterial Spin Labeling Sequence
    00189252LOASLTechniqueDescription|ASL Technique Description
    00189253USASLSlabNumber|ASL Slab Number
    00189254FDASLSlabThickness|ASL Slab Thickness
    00189255FDASLSlabOrientation|ASL Slab Orientation
    00189256FDASLMidSlabPosition|ASL Mid Slab Position
    00189257CSASLContext|ASL Context
    00189258ULASLPulseTrainDuration|ASL Pulse Train Duration
    00189259CSASLCrusherFlag|ASL Crusher Flag
    0018925AFDASLCrusherFlowLimit|ASL Crusher Flow Limit
    0018925BLOASLCrusherDescription|ASL Crusher Description
    0018925CCSASLBolusCutoffFlag|ASL Bolus Cut-off Flag
    0018925DSQASLBolusCutoffTimingSequence|ASL Bolus Cut-off Timing Sequence
    0018925ELOASLBolusCutoffTechnique|ASL Bolus Cut-off Technique
    0018925FULASLBolusCutoffDelayTime|ASL Bolus Cut-off Delay Time
    00189260SQASLSlabSequence|ASL Slab Sequence
    00189295FDChemicalShiftMinimumIntegrationLimitInppm|Chemical Shift Minimum Integration Limit in ppm
    00189296FDChemicalShiftMaximumIntegrationLimitInppm|Chemical Shift Maximum Integration Limit in ppm
    00189297CSWaterReferenceAcquisition|Water Reference Acquisition
    00189298ISEchoPeakPosition|Echo Peak Position
    00189301SQCTAcquisitionTypeSequence|CT Acquisition Type Sequence
    00189302CSAcquisitionType|Acquisition Type
    00189303FDTubeAngle|Tube Angle
    00189304SQCTAcquisitionDetailsSequence|CT Acquisition Details Sequence
    00189305FDRevolutionTime|Revolution Time
    00189306FDSingleCollimationWidth|Single Collimation Width
    00189307FDTotalCollimationWidth|Total Collimation Width
    00189308SQCTTableDynamicsSequence|CT Table Dynamics Sequence
    00189309FDTableSpeed|Table Speed
    00189310FDTableFeedPerRotation|Table Feed per Rotation
    00189311FDSpiralPitchFactor|Spiral Pitch Factor
    00189312SQCTGeometrySequence|CT Geometry Sequence
    00189313FDDataCollectionCenterPatient|Data Collection Center (Patient)
    00189314SQCTReconstructionSequence|CT Reconstruction Sequence
    00189315CSReconstructionAlgorithm|Reconstruction Algorithm
    00189316CSConvolutionKernelGroup|Convolution Kernel Group
    00189317FDReconstructionFieldOfView|Reconstruction Field of View
    00189318FDReconstructionTargetCenterPatient|Reconstruction Target Center (Patient)
    00189319FDReconstructionAngle|Reconstruction Angle
    00189320SHImageFilter|Image Filter
    00189321SQCTExposureSequence|CT Exposure Sequence
    00189322FDReconstructionPixelSpacing|Reconstruction Pixel Spacing
    00189323CSExposureModulationType|Exposure Modulation Type
    00189324FDEstimatedDoseSaving|Estimated Dose Saving
    00189325SQCTXRayDetailsSequence|CT X-Ray Details Sequence
    00189326SQCTPositionSequence|CT Position Sequence
    00189327FDTablePosition|Table Position
    00189328FDExposureTimeInms|Exposure Time in ms
    00189329SQCTImageFrameTypeSequence|CT Image Frame Type Sequence
    00189330FDXRayTubeCurrentInmA|X-Ray Tube Current in mA
    00189332FDExposureInmAs|Exposure in mAs
    00189333CSConstantVolumeFlag|Constant Volume Flag
    00189334CSFluoroscopyFlag|Fluoroscopy Flag
    00189335FDDistanceSourceToDataCollectionCenter|Distance Source to Data Collection Center
    00189337USContrastBolusAgentNumber|Contrast/Bolus Agent Number
    00189338SQContrastBolusIngredientCodeSequence|Contrast/Bolus Ingredient Code Sequence
    00189340SQContrastAdministrationProfileSequence|Contrast Administration Profile Sequence
    00189341SQContrastBolusUsageSequence|Contrast/Bolus Usage Sequence
    00189342CSContrastBolusAgentAdministered|Contrast/Bolus Agent Administered
    00189343CSContrastBolusAgentDetected|Contrast/Bolus Agent Detected
    00189344CSContrastBolusAgentPhase|Contrast/Bolus Agent Phase
    00189345FDCTDIvol|CTDIvol
    00189346SQCTDIPhantomTypeCodeSequence|CTDI Phantom Type Code Sequence
    00189351FLCalciumScoringMassFactorPatient|Calcium Scoring Mass Factor Patient
    00189352FLCalciumScoringMassFactorDevice|Calcium Scoring Mass Factor Device
    00189353FLEnergyWeightingFactor|Energy Weighting Factor
    00189360SQCTAdditionalXRaySourceSequence|CT Additional X-Ray Source Sequence
    00189361CSMultienergyCTAcquisition|Multi-energy CT Acquisition
    00189362SQMultienergyCTAcquisitionSequence|Multi-energy CT Acquisition Sequence
    00189363SQMultienergyCTProcessingSequence|Multi-energy CT Processing Sequence
    00189364SQMultienergyCTCharacteristicsSequence|Multi-energy CT Characteristics Sequence
    00189365SQMultienergyCTXRaySourceSequence|Multi-energy CT X-Ray Source Sequence
    00189366USXRaySourceIndex|X-Ray Source Index
    00189367UCXRaySourceID|X-Ray Source ID
    00189368CSMultienergySourceTechnique|Multi-energy Source Technique
    00189369DTSourceStartDateTime|Source Start DateTime
    0018936ADTSourceEndDateTime|Source End DateTime
    0018936BUSSwitchingPhaseNumber|Switching Phase Number
    0018936CDSSwitchingPhaseNominalDuration|Switching Phase Nominal Duration
    0018936DDSSwitchingPhaseTransitionDuration|Switching Phase Transition Duration
    0018936EDSEffectiveBinEnergy|Effective Bin Energy
    0018936FSQMultienergyCTXRayDetectorSequence|Multi-energy CT X-Ray Detector Sequence
    00189370USXRayDetectorIndex|X-Ray Detector Index
    00189371UCXRayDetectorID|X-Ray Detector ID
    00189372CSMultienergyDetectorType|Multi-energy Detector Type
    00189373STXRayDetectorLabel|X-Ray Detector Label
    00189374DSNominalMaxEnergy|Nominal Max Energy
    00189375DSNominalMinEnergy|Nominal Min Energy
    00189376USReferencedXRayDetectorIndex|Referenced X-Ray Detector Index
    00189377USReferencedXRaySourceIndex|Referenced X-Ray Source Index
    00189378USReferencedPathIndex|Referenced Path Index
    00189379SQMultienergyCTPathSequence|Multi-energy CT Path Sequence
    0018937AUSMultienergyCTPathIndex|Multi-energy CT Path Index
    0018937BUTMultienergyAcquisitionDescription|Multi-energy Acquisition Description
    0018937CFDMonoenergeticEnergyEquivalent|Monoenergetic Energy Equivalent
    0018937DSQMaterialCodeSequence|Material Code Sequence
    0018937ECSDecompositionMethod|Decomposition Method
    0018937FUTDecompositionDescription|Decomposition Description
    00189380SQDecompositionAlgorithmIdentificationSequence|Decomposition Algorithm Identification Sequence
    00189381SQDecompositionMaterialSequence|Decomposition Material Sequence
    00189382SQMaterialAttenuationSequence|Material Attenuation Sequence
    00189383DSPhotonEnergy|Photon Energy
    00189384DSXRayMassAttenuationCoefficient|X-Ray Mass Attenuation Coefficient
    00189401SQProjectionPixelCalibrationSequence|Projection Pixel Calibration Sequence
    00189402FLDistanceSourceToIsocenter|Distance Source to Isocenter
    00189403FLDistanceObjectToTableTop|Distance Object to Table Top
    00189404FLObjectPixelSpacingInCenterOfBeam|Object Pixel Spacing in Center of Beam
    00189405SQPositionerPositionSequence|Positioner Position Sequence
    00189406SQTablePositionSequence|Table Position Sequence
    00189407SQCollimatorShapeSequence|Collimator Shape Sequence
    00189410CSPlanesInAcquisition|Planes in Acquisition
    00189412SQXAXRFFrameCharacteristicsSequence|XA/XRF Frame Characteristics Sequence
    00189417SQFrameAcquisitionSequence|Frame Acquisition Sequence
    00189420CSXRayReceptorType|X-Ray Receptor Type
    00189423LOAcquisitionProtocolName|Acquisition Protocol Name
    00189424LTAcquisitionProtocolDescription|Acquisition Protocol Description
    00189425CSContrastBolusIngredientOpaque|Contrast/Bolus Ingredient Opaque
    00189426FLDistanceReceptorPlaneToDetectorHousing|Distance Receptor Plane to Detector Housing
    00189427CSIntensifierActiveShape|Intensifier Active Shape
    00189428FLIntensifierActiveDimensions|Intensifier Active Dimension(s)
    00189429FLPhysicalDetectorSize|Physical Detector Size
    00189430FLPositionOfIsocenterProjection|Position of Isocenter Projection
    00189432SQFieldOfViewSequence|Field of View Sequence
    00189433LOFieldOfViewDescription|Field of View Description
    00189434SQExposureControlSensingRegionsSequence|Exposure Control Sensing Regions Sequence
    00189435CSExposureControlSensingRegionShape|Exposure Control Sensing Region Shape
    00189436SSExposureControlSensingRegionLeftVerticalEdge|Exposure Control Sensing Region Left Vertical Edge
    00189437SSExposureControlSensingRegionRightVerticalEdge|Exposure Control Sensing Region Right Vertical Edge
    00189438SSExposureControlSensingRegionUpperHorizontalEdge|Exposure Control Sensing Region Upper Horizontal Edge
    00189439SSExposureControlSensingRegionLowerHorizontalEdge|Exposure Control Sensing Region Lower Horizontal Edge
    00189440SSCenterOfCircularExposureControlSensingRegion|Center of Circular Exposure Control Sensing Region
    00189441USRadiusOfCircularExposureControlSensingRegion|Radius of Circular Exposure Control Sensing Region
    00189442SSVerticesOfThePolygonalExposureControlSensingRegion|Vertices of the Polygonal Exposure Control Sensing Region
    00189447FLColumnAngulationPatient|Column Angulation (Patient)
    00189449FLBeamAngle|Beam Angle
    00189451SQFrameDetectorParametersSequence|Frame Detector Parameters Sequence
    00189452FLCalculatedAnatomyThickness|Calculated Anatomy Thickness
    00189455SQCalibrationSequence|Calibration Sequence
    00189456SQObjectThicknessSequence|Object Thickness Sequence
    00189457CSPlaneIdentification|Plane Identification
    00189461FLFieldOfViewDimensionsInFloat|Field of View Dimension(s) in Float
    00189462SQIsocenterReferenceSystemSequence|Isocenter Reference System Sequence
    00189463FLPositionerIsocenterPrimaryAngle|Positioner Isocenter Primary Angle
    00189464FLPositionerIsocenterSecondaryAngle|Positioner Isocenter Secondary Angle
    00189465FLPositionerIsocenterDetectorRotationAngle|Positioner Isocenter Detector Rotation Angle
    00189466FLTableXPositionToIsocenter|Table X Position to Isocenter
    00189467FLTableYPositionToIsocenter|Table Y Position to Isocenter
    00189468FLTableZPositionToIsocenter|Table Z Position to Isocenter
    00189469FLTableHorizontalRotationAngle|Table Horizontal Rotation Angle
    00189470FLTableHeadTiltAngle|Table Head Tilt Angle
    00189471FLTableCradleTiltAngle|Table Cradle Tilt Angle
    00189472SQFrameDisplayShutterSequence|Frame Display Shutter Sequence
    00189473FLAcquiredImageAreaDoseProduct|Acquired Image Area Dose Product
    00189474CSCArmPositionerTabletopRelationship|C-arm Positioner Tabletop Relationship
    00189476SQXRayGeometrySequence|X-Ray Geometry Sequence
    00189477SQIrradiationEventIdentificationSequence|Irradiation Event Identification Sequence
    00189504SQXRay3DFrameTypeSequence|X-Ray 3D Frame Type Sequence
    00189506SQContributingSourcesSequence|Contributing Sources Sequence
    00189507SQXRay3DAcquisitionSequence|X-Ray 3D Acquisition Sequence
    00189508FLPrimaryPositionerScanArc|Primary Positioner Scan Arc
    00189509FLSecondaryPositionerScanArc|Secondary Positioner Scan Arc
    00189510FLPrimaryPositionerScanStartAngle|Primary Positioner Scan Start Angle
    00189511FLSecondaryPositionerScanStartAngle|Secondary Positioner Scan Start Angle
    00189514FLPrimaryPositionerIncrement|Primary Positioner Increment
    00189515FLSecondaryPositionerIncrement|Secondary Positioner Increment
    00189516DTStartAcquisitionDateTime|Start Acquisition DateTime
    00189517DTEndAcquisitionDateTime|End Acquisition DateTime
    00189518SSPrimaryPositionerIncrementSign|Primary Positioner Increment Sign
    00189519SSSecondaryPositionerIncrementSign|Secondary Positioner Increment Sign
    00189524LOApplicationName|Application Name
    00189525LOApplicationVersion|Application Version
    00189526LOApplicationManufacturer|Application Manufacturer
    00189527CSAlgorithmType|Algorithm Type
    00189528LOAlgorithmDescription|Algorithm Description
    00189530SQXRay3DReconstructionSequence|X-Ray 3D Reconstruction Sequence
    00189531LOReconstructionDescription|Reconstruction Description
    00189538SQPerProjectionAcquisitionSequence|Per Projection Acquisition Sequence
    00189541SQDetectorPositionSequence|Detector Position Sequence
    00189542SQXRayAcquisitionDoseSequence|X-Ray Acquisition Dose Sequence
    00189543FDXRaySourceIsocenterPrimaryAngle|X-Ray Source Isocenter Primary Angle
    00189544FDXRaySourceIsocenterSecondaryAngle|X-Ray Source Isocenter Secondary Angle
    00189545FDBreastSupportIsocenterPrimaryAngle|Breast Support Isocenter Primary Angle
    00189546FDBreastSupportIsocenterSecondaryAngle|Breast Support Isocenter Secondary Angle
    00189547FDBreastSupportXPositionToIsocenter|Breast Support X Position to Isocenter
    00189548FDBreastSupportYPositionToIsocenter|Breast Support Y Position to Isocenter
    00189549FDBreastSupportZPositionToIsocenter|Breast Support Z Position to Isocenter
    00189550FDDetectorIsocenterPrimaryAngle|Detector Isocenter Primary Angle
    00189551FDDetectorIsocenterSecondaryAngle|Detector Isocenter Secondary Angle
    00189552FDDetectorXPositionToIsocenter|Detector X Position to Isocenter
    00189553FDDetectorYPositionToIsocenter|Detector Y Position to Isocenter
    00189554FDDetectorZPositionToIsocenter|Detector Z Position to Isocenter
    00189555SQXRayGridSequence|X-Ray Grid Sequence
    00189556SQXRayFilterSequence|X-Ray Filter Sequence
    00189557FDDetectorActiveAreaTLHCPosition|Detector Active Area TLHC Position
    00189558FDDetectorActiveAreaOrientation|Detector Active Area Orientation
    00189559CSPositionerPrimaryAngleDirection|Positioner Primary Angle Direction
    00189601SQDiffusionBMatrixSequence|Diffusion b-matrix Sequence
    00189602FDDiffusionBValueXX|Diffusion b-value XX
    00189603FDDiffusionBValueXY|Diffusion b-value XY
    00189604FDDiffusionBValueXZ|Diffusion b-value XZ
    00189605FDDiffusionBValueYY|Diffusion b-value YY
    00189606FDDiffusionBValueYZ|Diffusion b-value YZ
    00189607FDDiffusionBValueZZ|Diffusion b-value ZZ
    00189621SQFunctionalMRSequence|Functional MR Sequence
    00189622CSFunctionalSettlingPhaseFramesPresent|Functional Settling Phase Frames Present
    00189623DTFunctionalSyncPulse|Functional Sync Pulse
    00189624CSSettlingPhaseFrame|Settling Phase Frame
    00189701DTDecayCorrectionDateTime|Decay Correction DateTime
    00189715FDStartDensityThreshold|Start Density Threshold
    00189716FDStartRelativeDensityDifferenceThreshold|Start Relative Density Difference Threshold
    00189717FDStartCardiacTriggerCountThreshold|Start Cardiac Trigger Count Threshold
    00189718FDStartRespiratoryTriggerCountThreshold|Start Respiratory Trigger Count Threshold
    00189719FDTerminationCountsThreshold|Termination Counts Threshold
    00189720FDTerminationDensityThreshold|Termination Density Threshold
    00189721FDTerminationRelativeDensityThreshold|Termination Relative Density Threshold
    00189722FDTerminationTimeThreshold|Termination Time Threshold
    00189723FDTerminationCardiacTriggerCountThreshold|Termination Cardiac Trigger Count Threshold
    00189724FDTerminationRespiratoryTriggerCountThreshold|Termination Respiratory Trigger Count Threshold
    00189725CSDetectorGeometry|Detector Geometry
    00189726FDTransverseDetectorSeparation|Transverse Detector Separation
    00189727FDAxialDetectorDimension|Axial Detector Dimension
    00189729USRadiopharmaceuticalAgentNumber|Radiopharmaceutical Agent Number
    00189732SQPETFrameAcquisitionSequence|PET Frame Acquisition Sequence
    00189733SQPETDetectorMotionDetailsSequence|PET Detector Motion Details Sequence
    00189734SQPETTableDynamicsSequence|PET Table Dynamics Sequence
    00189735SQPETPositionSequence|PET Position Sequence
    00189736SQPETFrameCorrectionFactorsSequence|PET Frame Correction Factors Sequence
    00189737SQRadiopharmaceuticalUsageSequence|Radiopharmaceutical Usage Sequence
    00189738CSAttenuationCorrectionSource|Attenuation Correction Source
    00189739USNumberOfIterations|Number of Iterations
    00189740USNumberOfSubsets|Number of Subsets
    00189749SQPETReconstructionSequence|PET Reconstruction Sequence
    00189751SQPETFrameTypeSequence|PET Frame Type Sequence
    00189755CSTimeOfFlightInformationUsed|Time of Flight Information Used
    00189756CSReconstructionType|Reconstruction Type
    00189758CSDecayCorrected|Decay Corrected
    00189759CSAttenuationCorrected|Attenuation Corrected
    00189760CSScatterCorrected|Scatter Corrected
    00189761CSDeadTimeCorrected|Dead Time Corrected
    00189762CSGantryMotionCorrected|Gantry Motion Corrected
    00189763CSPatientMotionCorrected|Patient Motion Corrected
    00189764CSCountLossNormalizationCorrected|Count Loss Normalization Corrected
    00189765CSRandomsCorrected|Randoms Corrected
    00189766CSNonUniformRadialSamplingCorrected|Non-uniform Radial Sampling Corrected
    00189767CSSensitivityCalibrated|Sensitivity Calibrated
    00189768CSDetectorNormalizationCorrection|Detector Normalization Correction
    00189769CSIterativeReconstructionMethod|Iterative Reconstruction Method
    00189770CSAttenuationCorrectionTemporalRelationship|Attenuation Correction Temporal Relationship
    00189771SQPatientPhysiologicalStateSequence|Patient Physiological State Sequence
    00189772SQPatientPhysiologicalStateCodeSequence|Patient Physiological State Code Sequence
    00189801FDDepthsOfFocus|Depth(s) of Focus
    00189803SQExcludedIntervalsSequence|Excluded Intervals Sequence
    00189804DTExclusionStartDateTime|Exclusion Start DateTime
    00189805FDExclusionDuration|Exclusion Duration
    00189806SQUSImageDescriptionSequence|US Image Description Sequence
    00189807SQImageDataTypeSequence|Image Data Type Sequence
    00189808CSDataType|Data Type
    00189809SQTransducerScanPatternCodeSequence|Transducer Scan Pattern Code Sequence
    0018980BCSAliasedDataType|Aliased Data Type
    0018980CCSPositionMeasuringDeviceUsed|Position Measuring Device Used
    0018980DSQTransducerGeometryCodeSequence|Transducer Geometry Code Sequence
    0018980ESQTransducerBeamSteeringCodeSequence|Transducer Beam Steering Code Sequence
    0018980FSQTransducerApplicationCodeSequence|Transducer Application Code Sequence
    00189810USZeroVelocityPixelValue|Zero Velocity Pixel Value
    00189821SQPhotoacousticExcitationCharacteristicsSequence|Photoacoustic Excitation Characteristics Sequence
    00189822FDExcitationSpectralWidth|Excitation Spectral Width
    00189823FDExcitationEnergy|Excitation Energy
    00189824FDExcitationPulseDuration|Excitation Pulse Duration
    00189825SQExcitationWavelengthSequence|Excitation Wavelength Sequence
    00189826FDExcitationWavelength|Excitation Wavelength
    00189828CSIlluminationTranslationFlag|Illumination Translation Flag
    00189829CSAcousticCouplingMediumFlag|Acoustic Coupling Medium Flag
    0018982ASQAcousticCouplingMediumCodeSequence|Acoustic Coupling Medium Code Sequence
    0018982BFDAcousticCouplingMediumTemperature|Acoustic Coupling Medium Temperature
    0018982CSQTransducerResponseSequence|Transducer Response Sequence
    0018982DFDCenterFrequency|Center Frequency
    0018982EFDFractionalBandwidth|Fractional Bandwidth
    0018982FFDLowerCutoffFrequency|Lower Cutoff Frequency
    00189830FDUpperCutoffFrequency|Upper Cutoff Frequency
    00189831SQTransducerTechnologySequence|Transducer Technology Sequence
    00189832SQSoundSpeedCorrectionMechanismCodeSequence|Sound Speed Correction Mechanism Code Sequence
    00189833FDObjectSoundSpeed|Object Sound Speed
    00189834FDAcousticCouplingMediumSoundSpeed|Acoustic Coupling Medium Sound Speed
    00189835SQPhotoacousticImageFrameTypeSequence|Photoacoustic Image Frame Type Sequence
    00189836SQImageDataTypeCodeSequence|Image Data Type Code Sequence
    00189900LOReferenceLocationLabel|Reference Location Label
    00189901UTReferenceLocationDescription|Reference Location Description
    00189902SQReferenceBasisCodeSequence|Reference Basis Code Sequence
    00189903SQReferenceGeometryCodeSequence|Reference Geometry Code Sequence
    00189904DSOffsetDistance|Offset Distance
    00189905CSOffsetDirection|Offset Direction
    00189906SQPotentialScheduledProtocolCodeSequence|Potential Scheduled Protocol Code Sequence
    00189907SQPotentialRequestedProcedureCodeSequence|Potential Requested Procedure Code Sequence
    00189908UCPotentialReasonsForProcedure|Potential Reasons for Procedure
    00189909SQPotentialReasonsForProcedureCodeSequence|Potential Reasons for Procedure Code Sequence
    0018990AUCPotentialDiagnosticTasks|Potential Diagnostic Tasks
    0018990BSQContraindicationsCodeSequence|Contraindications Code Sequence
    0018990CSQReferencedDefinedProtocolSequence|Referenced Defined Protocol Sequence
    0018990DSQReferencedPerformedProtocolSequence|Referenced Performed Protocol Sequence
    0018990ESQPredecessorProtocolSequence|Predecessor Protocol Sequence
    0018990FUTProtocolPlanningInformation|Protocol Planning Information
    00189910UTProtocolDesignRationale|Protocol Design Rationale
    00189911SQPatientSpecificationSequence|Patient Specification Sequence
    00189912SQModelSpecificationSequence|Model Specification Sequence
    00189913SQParametersSpecificationSequence|Parameters Specification Sequence
    00189914SQInstructionSequence|Instruction Sequence
    00189915USInstructionIndex|Instruction Index
    00189916LOInstructionText|Instruction Text
    00189917UTInstructionDescription|Instruction Description
    00189918CSInstructionPerformedFlag|Instruction Performed Flag
    00189919DTInstructionPerformedDateTime|Instruction Performed DateTime
    0018991AUTInstructionPerformanceComment|Instruction Performance Comment
    0018991BSQPatientPositioningInstructionSequence|Patient Positioning Instruction Sequence
    0018991CSQPositioningMethodCodeSequence|Positioning Method Code Sequence
    0018991DSQPositioningLandmarkSequence|Positioning Landmark Sequence
    0018991EUITargetFrameOfReferenceUID|Target Frame of Reference UID
    0018991FSQAcquisitionProtocolElementSpecificationSequence|Acquisition Protocol Element Specification Sequence
    00189920SQAcquisitionProtocolElementSequence|Acquisition Protocol Element Sequence
    00189921USProtocolElementNumber|Protocol Element Number
    00189922LOProtocolElementName|Protocol Element Name
    00189923UTProtocolElementCharacteristicsSummary|Protocol Element Characteristics Summary
    00189924UTProtocolElementPurpose|Protocol Element Purpose
    00189930CSAcquisitionMotion|Acquisition Motion
    00189931SQAcquisitionStartLocationSequence|Acquisition Start Location Sequence
    00189932SQAcquisitionEndLocationSequence|Acquisition End Location Sequence
    00189933SQReconstructionProtocolElementSpecificationSequence|Reconstruction Protocol Element Specification Sequence
    00189934SQReconstructionProtocolElementSequence|Reconstruction Protocol Element Sequence
    00189935SQStorageProtocolElementSpecificationSequence|Storage Protocol Element Specification Sequence
    00189936SQStorageProtocolElementSequence|Storage Protocol Element Sequence
    00189937LORequestedSeriesDescription|Requested Series Description
    00189938USSourceAcquisitionProtocolElementNumber|Source Acquisition Protocol Element Number
    00189939USSourceAcquisitionBeamNumber|Source Acquisition Beam Number
    0018993AUSSourceReconstructionProtocolElementNumber|Source Reconstruction Protocol Element Number
    0018993BSQReconstructionStartLocationSequence|Reconstruction Start Location Sequence
    0018993CSQReconstructionEndLocationSequence|Reconstruction End Location Sequence
    0018993DSQReconstructionAlgorithmSequence|Reconstruction Algorithm Sequence
    0018993ESQReconstructionTargetCenterLocationSequence|Reconstruction Target Center Location Sequence
    00189941UTImageFilterDescription|Image Filter Description
    00189942FDCTDIvolNotificationTrigger|CTDIvol Notification Trigger
    00189943FDDLPNotificationTrigger|DLP Notification Trigger
    00189944CSAutoKVPSelectionType|Auto KVP Selection Type
    00189945FDAutoKVPUpperBound|Auto KVP Upper Bound
    00189946FDAutoKVPLowerBound|Auto KVP Lower Bound
    00189947CSProtocolDefinedPatientPosition|Protocol Defined Patient Position
    0018A001SQContributingEquipmentSequence|Contributing Equipment Sequence
    0018A002DTContributionDateTime|Contribution DateTime
    0018A003STContributionDescription|Contribution Description
    0020000DUIStudyInstanceUID|Study Instance UID
    0020000EUISeriesInstanceUID|Series Instance UID
    00200010SHStudyID|Study ID
    00200011ISSeriesNumber|Series Number
    00200012ISAcquisitionNumber|Acquisition Number
    00200013ISInstanceNumber|Instance Number
    00200014ISIsotopeNumber|Isotope Number
    00200015ISPhaseNumber|Phase Number
    00200016ISIntervalNumber|Interval Number
    00200017ISTimeSlotNumber|Time Slot Number
    00200018ISAngleNumber|Angle Number
    00200019ISItemNumber|Item Number
    00200020CSPatientOrientation|Patient Orientation
    00200022ISOverlayNumber|Overlay Number
    00200024ISCurveNumber|Curve Number
    00200026ISLUTNumber|LUT Number
    00200027LOPyramidLabel|Pyramid Label
    00200030DSImagePosition|Image Position
    00200032DSImagePositionPatient|Image Position (Patient)
    00200035DSImageOrientation|Image Orientation
    00200037DSImageOrientationPatient|Image Orientation (Patient)
    00200050DSLocation|Location
    00200052UIFrameOfReferenceUID|Frame of Reference UID
    00200060CSLaterality|Laterality
    00200062CSImageLaterality|Image Laterality
    00200070LOImageGeometryType|Image Geometry Type
    00200080CSMaskingImage|Masking Image
    002000AAISReportNumber|Report Number
    00200100ISTemporalPositionIdentifier|Temporal Position Identifier
    00200105ISNumberOfTemporalPositions|Number of Temporal Positions
    00200110DSTemporalResolution|Temporal Resolution
    00200200UISynchronizationFrameOfReferenceUID|Synchronization Frame of Reference UID
    00200242UISOPInstanceUIDOfConcatenationSource|SOP Instance UID of Concatenation Source
    00201000ISSeriesInStudy|Series in Study
    00201001ISAcquisitionsInSeries|Acquisitions in Series
    00201002ISImagesInAcquisition|Images in Acquisition
    00201003ISImagesInSeries|Images in Series
    00201004ISAcquisitionsInStudy|Acquisitions in Study
    00201005ISImagesInStudy|Images in Study
    00201020LOReference|Reference
    0020103FLOTargetPositionReferenceIndicator|Target Position Reference Indicator
    00201040LOPositionReferenceIndicator|Position Reference Indicator
    00201041DSSliceLocation|Slice Location
    00201070ISOtherStudyNumbers|Other Study Numbers
    00201200ISNumberOfPatientRelatedStudies|Number of Patient Related Studies
    00201202ISNumberOfPatientRelatedSeries|Number of Patient Related Series
    00201204ISNumberOfPatientRelatedInstances|Number of Patient Related Instances
    00201206ISNumberOfStudyRelatedSeries|Number of Study Related Series
    00201208ISNumberOfStudyRelatedInstances|Number of Study Related Instances
    00201209ISNumberOfSeriesRelatedInstances|Number of Series Related Instances
    00203401CSModifyingDeviceID|Modifying Device ID
    00203402CSModifiedImageID|Modified Image ID
    00203403DAModifiedImageDate|Modified Image Date
    00203404LOModifyingDeviceManufacturer|Modifying Device Manufacturer
    00203405TMModifiedImageTime|Modified Image Time
    00203406LOModifiedImageDescription|Modified Image Description
    00204000LTImageComments|Image Comments
    00205000ATOriginalImageIdentification|Original Image Identification
    00205002LOOriginalImageIdentificationNomenclature|Original Image Identification Nomenclature
    00209056SHStackID|Stack ID
    00209057ULInStackPositionNumber|In-Stack Position Number
    00209071SQFrameAnatomySequence|Frame Anatomy Sequence
    00209072CSFrameLaterality|Frame Laterality
    00209111SQFrameContentSequence|Frame Content Sequence
    00209113SQPlanePositionSequence|Plane Position Sequence
    00209116SQPlaneOrientationSequence|Plane Orientation Sequence
    00209128ULTemporalPositionIndex|Temporal Position Index
    00209153FDNominalCardiacTriggerDelayTime|Nominal Cardiac Trigger Delay Time
    00209154FLNominalCardiacTriggerTimePriorToRPeak|Nominal Cardiac Trigger Time Prior To R-Peak
    00209155FLActualCardiacTriggerTimePriorToRPeak|Actual Cardiac Trigger Time Prior To R-Peak
    00209156USFrameAcquisitionNumber|Frame Acquisition Number
    00209157ULDimensionIndexValues|Dimension Index Values
    00209158LTFrameComments|Frame Comments
    00209161UIConcatenationUID|Concatenation UID
    00209162USInConcatenationNumber|In-concatenation Number
    00209163USInConcatenationTotalNumber|In-concatenation Total Number
    00209164UIDimensionOrganizationUID|Dimension Organization UID
    00209165ATDimensionIndexPointer|Dimension Index Pointer
    00209167ATFunctionalGroupPointer|Functional Group Pointer
    00209170SQUnassignedSharedConvertedAttributesSequence|Unassigned Shared Converted Attributes Sequence
    00209171SQUnassignedPerFrameConvertedAttributesSequence|Unassigned Per-Frame Converted Attributes Sequence
    00209172SQConversionSourceAttributesSequence|Conversion Source Attributes Sequence
    00209213LODimensionIndexPrivateCreator|Dimension Index Private Creator
    00209221SQDimensionOrganizationSequence|Dimension Organization Sequence
    00209222SQDimensionIndexSequence|Dimension Index Sequence
    00209228ULConcatenationFrameOffsetNumber|Concatenation Frame Offset Number
    00209238LOFunctionalGroupPrivateCreator|Functional Group Private Creator
    00209241FLNominalPercentageOfCardiacPhase|Nominal Percentage of Cardiac Phase
    00209245FLNominalPercentageOfRespiratoryPhase|Nominal Percentage of Respiratory Phase
    00209246FLStartingRespiratoryAmplitude|Starting Respiratory Amplitude
    00209247CSStartingRespiratoryPhase|Starting Respiratory Phase
    00209248FLEndingRespiratoryAmplitude|Ending Respiratory Amplitude
    00209249CSEndingRespiratoryPhase|Ending Respiratory Phase
    00209250CSRespiratoryTriggerType|Respiratory Trigger Type
    00209251FDRRIntervalTimeNominal|R-R Interval Time Nominal
    00209252FDActualCardiacTriggerDelayTime|Actual Cardiac Trigger Delay Time
    00209253SQRespiratorySynchronizationSequence|Respiratory Synchronization Sequence
    00209254FDRespiratoryIntervalTime|Respiratory Interval Time
    00209255FDNominalRespiratoryTriggerDelayTime|Nominal Respiratory Trigger Delay Time
    00209256FDRespiratoryTriggerDelayThreshold|Respiratory Trigger Delay Threshold
    00209257FDActualRespiratoryTriggerDelayTime|Actual Respiratory Trigger Delay Time
    00209301FDImagePositionVolume|Image Position (Volume)
    00209302FDImageOrientationVolume|Image Orientation (Volume)
    00209307CSUltrasoundAcquisitionGeometry|Ultrasound Acquisition Geometry
    00209308FDApexPosition|Apex Position
    00209309FDVolumeToTransducerMappingMatrix|Volume to Transducer Mapping Matrix
    0020930AFDVolumeToTableMappingMatrix|Volume to Table Mapping Matrix
    0020930BCSVolumeToTransducerRelationship|Volume to Transducer Relationship
    0020930CCSPatientFrameOfReferenceSource|Patient Frame of Reference Source
    0020930DFDTemporalPositionTimeOffset|Temporal Position Time Offset
    0020930ESQPlanePositionVolumeSequence|Plane Position (Volume) Sequence
    0020930FSQPlaneOrientationVolumeSequence|Plane Orientation (Volume) Sequence
    00209310SQTemporalPositionSequence|Temporal Position Sequence
    00209311CSDimensionOrganizationType|Dimension Organization Type
    00209312UIVolumeFrameOfReferenceUID|Volume Frame of Reference UID
    00209313UITableFrameOfReferenceUID|Table Frame of Reference UID
    00209421LODimensionDescriptionLabel|Dimension Description Label
    00209450SQPatientOrientationInFrameSequence|Patient Orientation in Frame Sequence
    00209453LOFrameLabel|Frame Label
    00209518USAcquisitionIndex|Acquisition Index
    00209529SQContributingSOPInstancesReferenceSequence|Contributing SOP Instances Reference Sequence
    00209536USReconstructionIndex|Reconstruction Index
    00220001USLightPathFilterPassThroughWavelength|Light Path Filter Pass-Through Wavelength
    00220002USLightPathFilterPassBand|Light Path Filter Pass Band
    00220003USImagePathFilterPassThroughWavelength|Image Path Filter Pass-Through Wavelength
    00220004USImagePathFilterPassBand|Image Path Filter Pass Band
    00220005CSPatientEyeMovementCommanded|Patient Eye Movement Commanded
    00220006SQPatientEyeMovementCommandCodeSequence|Patient Eye Movement Command Code Sequence
    00220007FLSphericalLensPower|Spherical Lens Power
    00220008FLCylinderLensPower|Cylinder Lens Power
    00220009FLCylinderAxis|Cylinder Axis
    0022000AFLEmmetropicMagnification|Emmetropic Magnification
    0022000BFLIntraOcularPressure|Intra Ocular Pressure
    0022000CFLHorizontalFieldOfView|Horizontal Field of View
    0022000DCSPupilDilated|Pupil Dilated
    0022000EFLDegreeOfDilation|Degree of Dilation
    0022000FFDVertexDistance|Vertex Distance
    00220010FLStereoBaselineAngle|Stereo Baseline Angle
    00220011FLStereoBaselineDisplacement|Stereo Baseline Displacement
    00220012FLStereoHorizontalPixelOffset|Stereo Horizontal Pixel Offset
    00220013FLStereoVerticalPixelOffset|Stereo Vertical Pixel Offset
    00220014FLStereoRotation|Stereo Rotation
    00220015SQAcquisitionDeviceTypeCodeSequence|Acquisition Device Type Code Sequence
    00220016SQIlluminationTypeCodeSequence|Illumination Type Code Sequence
    00220017SQLightPathFilterTypeStackCodeSequence|Light Path Filter Type Stack Code Sequence
    00220018SQImagePathFilterTypeStackCodeSequence|Image Path Filter Type Stack Code Sequence
    00220019SQLensesCodeSequence|Lenses Code Sequence
    0022001ASQChannelDescriptionCodeSequence|Channel Description Code Sequence
    0022001BSQRefractiveStateSequence|Refractive State Sequence
    0022001CSQMydriaticAgentCodeSequence|Mydriatic Agent Code Sequence
    0022001DSQRelativeImagePositionCodeSequence|Relative Image Position Code Sequence
    0022001EFLCameraAngleOfView|Camera Angle of View
    00220020SQStereoPairsSequence|Stereo Pairs Sequence
    00220021SQLeftImageSequence|Left Image Sequence
    00220022SQRightImageSequence|Right Image Sequence
    00220028CSStereoPairsPresent|Stereo Pairs Present
    00220030FLAxialLengthOfTheEye|Axial Length of the Eye
    00220031SQOphthalmicFrameLocationSequence|Ophthalmic Frame Location Sequence
    00220032FLReferenceCoordinates|Reference Coordinates
    00220035FLDepthSpatialResolution|Depth Spatial Resolution
    00220036FLMaximumDepthDistortion|Maximum Depth Distortion
    00220037FLAlongScanSpatialResolution|Along-scan Spatial Resolution
    00220038FLMaximumAlongScanDistortion|Maximum Along-scan Distortion
    00220039CSOphthalmicImageOrientation|Ophthalmic Image Orientation
    00220041FLDepthOfTransverseImage|Depth of Transverse Image
    00220042SQMydriaticAgentConcentrationUnitsSequence|Mydriatic Agent Concentration Units Sequence
    00220048FLAcrossScanSpatialResolution|Across-scan Spatial Resolution
    00220049FLMaximumAcrossScanDistortion|Maximum Across-scan Distortion
    0022004EDSMydriaticAgentConcentration|Mydriatic Agent Concentration
    00220055FLIlluminationWaveLength|Illumination Wave Length
    00220056FLIlluminationPower|Illumination Power
    00220057FLIlluminationBandwidth|Illumination Bandwidth
    00220058SQMydriaticAgentSequence|Mydriatic Agent Sequence
    00221007SQOphthalmicAxialMeasurementsRightEyeSequence|Ophthalmic Axial Measurements Right Eye Sequence
    00221008SQOphthalmicAxialMeasurementsLeftEyeSequence|Ophthalmic Axial Measurements Left Eye Sequence
    00221009CSOphthalmicAxialMeasurementsDeviceType|Ophthalmic Axial Measurements Device Type
    00221010CSOphthalmicAxialLengthMeasurementsType|Ophthalmic Axial Length Measurements Type
    00221012SQOphthalmicAxialLengthSequence|Ophthalmic Axial Length Sequence
    00221019FLOphthalmicAxialLength|Ophthalmic Axial Length
    00221024SQLensStatusCodeSequence|Lens Status Code Sequence
    00221025SQVitreousStatusCodeSequence|Vitreous Status Code Sequence
    00221028SQIOLFormulaCodeSequence|IOL Formula Code Sequence
    00221029LOIOLFormulaDetail|IOL Formula Detail
    00221033FLKeratometerIndex|Keratometer Index
    00221035SQSourceOfOphthalmicAxialLengthCodeSequence|Source of Ophthalmic Axial Length Code Sequence
    00221036SQSourceOfCornealSizeDataCodeSequence|Source of Corneal Size Data Code Sequence
    00221037FLTargetRefraction|Target Refraction
    00221039CSRefractiveProcedureOccurred|Refractive Procedure Occurred
    00221040SQRefractiveSurgeryTypeCodeSequence|Refractive Surgery Type Code Sequence
    00221044SQOphthalmicUltrasoundMethodCodeSequence|Ophthalmic Ultrasound Method Code Sequence
    00221045SQSurgicallyInducedAstigmatismSequence|Surgically Induced Astigmatism Sequence
    00221046CSTypeOfOpticalCorrection|Type of Optical Correction
    00221047SQToricIOLPowerSequence|Toric IOL Power Sequence
    00221048SQPredictedToricErrorSequence|Predicted Toric Error Sequence
    00221049CSPreSelectedForImplantation|Pre-Selected for Implantation
    0022104ASQToricIOLPowerForExactEmmetropiaSequence|Toric IOL Power for Exact Emmetropia Sequence
    0022104BSQToricIOLPowerForExactTargetRefractionSequence|Toric IOL Power for Exact Target Refraction Sequence
    00221050SQOphthalmicAxialLengthMeasurementsSequence|Ophthalmic Axial Length Measurements Sequence
    00221053FLIOLPower|IOL Power
    00221054FLPredictedRefractiveError|Predicted Refractive Error
    00221059FLOphthalmicAxialLengthVelocity|Ophthalmic Axial Length Velocity
    00221065LOLensStatusDescription|Lens Status Description
    00221066LOVitreousStatusDescription|Vitreous Status Description
    00221090SQIOLPowerSequence|IOL Power Sequence
    00221092SQLensConstantSequence|Lens Constant Sequence
    00221093LOIOLManufacturer|IOL Manufacturer
    00221094LOLensConstantDescription|Lens Constant Description
    00221095LOImplantName|Implant Name
    00221096SQKeratometryMeasurementTypeCodeSequence|Keratometry Measurement Type Code Sequence
    00221097LOImplantPartNumber|Implant Part Number
    00221100SQReferencedOphthalmicAxialMeasurementsSequence|Referenced Ophthalmic Axial Measurements Sequence
    00221101SQOphthalmicAxialLengthMeasurementsSegmentNameCodeSequence|Ophthalmic Axial Length Measurements Segment Name Code Sequence
    00221103SQRefractiveErrorBeforeRefractiveSurgeryCodeSequence|Refractive Error Before Refractive Surgery Code Sequence
    00221121FLIOLPowerForExactEmmetropia|IOL Power For Exact Emmetropia
    00221122FLIOLPowerForExactTargetRefraction|IOL Power For Exact Target Refraction
    00221125SQAnteriorChamberDepthDefinitionCodeSequence|Anterior Chamber Depth Definition Code Sequence
    00221127SQLensThicknessSequence|Lens Thickness Sequence
    00221128SQAnteriorChamberDepthSequence|Anterior Chamber Depth Sequence
    0022112ASQCalculationCommentSequence|Calculation Comment Sequence
    0022112BCSCalculationCommentType|Calculation Comment Type
    0022112CLTCalculationComment|Calculation Comment
    00221130FLLensThickness|Lens Thickness
    00221131FLAnteriorChamberDepth|Anterior Chamber Depth
    00221132SQSourceOfLensThicknessDataCodeSequence|Source of Lens Thickness Data Code Sequence
    00221133SQSourceOfAnteriorChamberDepthDataCodeSequence|Source of Anterior Chamber Depth Data Code Sequence
    00221134SQSourceOfRefractiveMeasurementsSequence|Source of Refractive Measurements Sequence
    00221135SQSourceOfRefractiveMeasurementsCodeSequence|Source of Refractive Measurements Code Sequence
    00221140CSOphthalmicAxialLengthMeasurementModified|Ophthalmic Axial Length Measurement Modified
    00221150SQOphthalmicAxialLengthDataSourceCodeSequence|Ophthalmic Axial Length Data Source Code Sequence
    00221153SQOphthalmicAxialLengthAcquisitionMethodCodeSequence|Ophthalmic Axial Length Acquisition Method Code Sequence
    00221155FLSignalToNoiseRatio|Signal to Noise Ratio
    00221159LOOphthalmicAxialLengthDataSourceDescription|Ophthalmic Axial Length Data Source Description
    00221210SQOphthalmicAxialLengthMeasurementsTotalLengthSequence|Ophthalmic Axial Length Measurements Total Length Sequence
    00221211SQOphthalmicAxialLengthMeasurementsSegmentalLengthSequence|Ophthalmic Axial Length Measurements Segmental Length Sequence
    00221212SQOphthalmicAxialLengthMeasurementsLengthSummationSequence|Ophthalmic Axial Length Measurements Length Summation Sequence
    00221220SQUltrasoundOphthalmicAxialLengthMeasurementsSequence|Ultrasound Ophthalmic Axial Length Measurements Sequence
    00221225SQOpticalOphthalmicAxialLengthMeasurementsSequence|Optical Ophthalmic Axial Length Measurements Sequence
    00221230SQUltrasoundSelectedOphthalmicAxialLengthSequence|Ultrasound Selected Ophthalmic Axial Length Sequence
    00221250SQOphthalmicAxialLengthSelectionMethodCodeSequence|Ophthalmic Axial Length Selection Method Code Sequence
    00221255SQOpticalSelectedOphthalmicAxialLengthSequence|Optical Selected Ophthalmic Axial Length Sequence
    00221257SQSelectedSegmentalOphthalmicAxialLengthSequence|Selected Segmental Ophthalmic Axial Length Sequence
    00221260SQSelectedTotalOphthalmicAxialLengthSequence|Selected Total Ophthalmic Axial Length Sequence
    00221262SQOphthalmicAxialLengthQualityMetricSequence|Ophthalmic Axial Length Quality Metric Sequence
    00221265SQOphthalmicAxialLengthQualityMetricTypeCodeSequence|Ophthalmic Axial Length Quality Metric Type Code Sequence
    00221273LOOphthalmicAxialLengthQualityMetricTypeDescription|Ophthalmic Axial Length Quality Metric Type Description
    00221300SQIntraocularLensCalculationsRightEyeSequence|Intraocular Lens Calculations Right Eye Sequence
    00221310SQIntraocularLensCalculationsLeftEyeSequence|Intraocular Lens Calculations Left Eye Sequence
    00221330SQReferencedOphthalmicAxialLengthMeasurementQCImageSequence|Referenced Ophthalmic Axial Length Measurement QC Image Sequence
    00221415CSOphthalmicMappingDeviceType|Ophthalmic Mapping Device Type
    00221420SQAcquisitionMethodCodeSequence|Acquisition Method Code Sequence
    00221423SQAcquisitionMethodAlgorithmSequence|Acquisition Method Algorithm Sequence
    00221436SQOphthalmicThicknessMapTypeCodeSequence|Ophthalmic Thickness Map Type Code Sequence
    00221443SQOphthalmicThicknessMappingNormalsSequence|Ophthalmic Thickness Mapping Normals Sequence
    00221445SQRetinalThicknessDefinitionCodeSequence|Retinal Thickness Definition Code Sequence
    00221450SQPixelValueMappingToCodedConceptSequence|Pixel Value Mapping to Coded Concept Sequence
    00221452USMappedPixelValue|Mapped Pixel Value
    00221454LOPixelValueMappingExplanation|Pixel Value Mapping Explanation
    00221458SQOphthalmicThicknessMapQualityThresholdSequence|Ophthalmic Thickness Map Quality Threshold Sequence
    00221460FLOphthalmicThicknessMapThresholdQualityRating|Ophthalmic Thickness Map Threshold Quality Rating
    00221463FLAnatomicStructureReferencePoint|Anatomic Structure Reference Point
    00221465SQRegistrationToLocalizerSequence|Registration to Localizer Sequence
    00221466CSRegisteredLocalizerUnits|Registered Localizer Units
    00221467FLRegisteredLocalizerTopLeftHandCorner|Registered Localizer Top Left Hand Corner
    00221468FLRegisteredLocalizerBottomRightHandCorner|Registered Localizer Bottom Right Hand Corner
    00221470SQOphthalmicThicknessMapQualityRatingSequence|Ophthalmic Thickness Map Quality Rating Sequence
    00221472SQRelevantOPTAttributesSequence|Relevant OPT Attributes Sequence
    00221512SQTransformationMethodCodeSequence|Transformation Method Code Sequence
    00221513SQTransformationAlgorithmSequence|Transformation Algorithm Sequence
    00221515CSOphthalmicAxialLengthMethod|Ophthalmic Axial Length Method
    00221517FLOphthalmicFOV|Ophthalmic FOV
    00221518SQTwoDimensionalToThreeDimensionalMapSequence|Two Dimensional to Three Dimensional Map Sequence
    00221525SQWideFieldOphthalmicPhotographyQualityRatingSequence|Wide Field Ophthalmic Photography Quality Rating Sequence
    00221526SQWideFieldOphthalmicPhotographyQualityThresholdSequence|Wide Field Ophthalmic Photography Quality Threshold Sequence
    00221527FLWideFieldOphthalmicPhotographyThresholdQualityRating|Wide Field Ophthalmic Photography Threshold Quality Rating
    00221528FLXCoordinatesCenterPixelViewAngle|X Coordinates Center Pixel View Angle
    00221529FLYCoordinatesCenterPixelViewAngle|Y Coordinates Center Pixel View Angle
    00221530ULNumberOfMapPoints|Number of Map Points
    00221531OFTwoDimensionalToThreeDimensionalMapData|Two Dimensional to Three Dimensional Map Data
    00221612SQDerivationAlgorithmSequence|Derivation Algorithm Sequence
    00221615SQOphthalmicImageTypeCodeSequence|Ophthalmic Image Type Code Sequence
    00221616LOOphthalmicImageTypeDescription|Ophthalmic Image Type Description
    00221618SQScanPatternTypeCodeSequence|Scan Pattern Type Code Sequence
    00221620SQReferencedSurfaceMeshIdentificationSequence|Referenced Surface Mesh Identification Sequence
    00221622CSOphthalmicVolumetricPropertiesFlag|Ophthalmic Volumetric Properties Flag
    00221624FLOphthalmicAnatomicReferencePointXCoordinate|Ophthalmic Anatomic Reference Point X-Coordinate
    00221626FLOphthalmicAnatomicReferencePointYCoordinate|Ophthalmic Anatomic Reference Point Y-Coordinate
    00221628SQOphthalmicEnFaceImageQualityRatingSequence|Ophthalmic En Face Image Quality Rating Sequence
    00221630DSQualityThreshold|Quality Threshold
    00221640SQOCTBscanAnalysisAcquisitionParametersSequence|OCT B-scan Analysis Acquisition Parameters Sequence
    00221642ULNumberOfBscansPerFrame|Number of B-scans Per Frame
    00221643FLBscanSlabThickness|B-scan Slab Thickness
    00221644FLDistanceBetweenBscanSlabs|Distance Between B-scan Slabs
    00221645FLBscanCycleTime|B-scan Cycle Time
    00221646FLBscanCycleTimeVector|B-scan Cycle Time Vector
    00221649FLAscanRate|A-scan Rate
    00221650FLBscanRate|B-scan Rate
    00221658ULSurfaceMeshZPixelOffset|Surface Mesh Z-Pixel Offset
    00240010FLVisualFieldHorizontalExtent|Visual Field Horizontal Extent
    00240011FLVisualFieldVerticalExtent|Visual Field Vertical Extent
    00240012CSVisualFieldShape|Visual Field Shape
    00240016SQScreeningTestModeCodeSequence|Screening Test Mode Code Sequence
    00240018FLMaximumStimulusLuminance|Maximum Stimulus Luminance
    00240020FLBackgroundLuminance|Background Luminance
    00240021SQStimulusColorCodeSequence|Stimulus Color Code Sequence
    00240024SQBackgroundIlluminationColorCodeSequence|Background Illumination Color Code Sequence
    00240025FLStimulusArea|Stimulus Area
    00240028FLStimulusPresentationTime|Stimulus Presentation Time
    00240032SQFixationSequence|Fixation Sequence
    00240033SQFixationMonitoringCodeSequence|Fixation Monitoring Code Sequence
    00240034SQVisualFieldCatchTrialSequence|Visual Field Catch Trial Sequence
    00240035USFixationCheckedQuantity|Fixation Checked Quantity
    00240036USPatientNotProperlyFixatedQuantity|Patient Not Properly Fixated Quantity
    00240037CSPresentedVisualStimuliDataFlag|Presented Visual Stimuli Data Flag
    00240038USNumberOfVisualStimuli|Number of Visual Stimuli
    00240039CSExcessiveFixationLossesDataFlag|Excessive Fixation Losses Data Flag
    00240040CSExcessiveFixationLosses|Excessive Fixation Losses
    00240042USStimuliRetestingQuantity|Stimuli Retesting Quantity
    00240044LTCommentsOnPatientPerformanceOfVisualField|Comments on Patient's Performance of Visual Field
    00240045CSFalseNegativesEstimateFlag|False Negatives Estimate Flag
    00240046FLFalseNegativesEstimate|False Negatives Estimate
    00240048USNegativeCatchTrialsQuantity|Negative Catch Trials Quantity
    00240050USFalseNegativesQuantity|False Negatives Quantity
    00240051CSExcessiveFalseNegativesDataFlag|Excessive False Negatives Data Flag
    00240052CSExcessiveFalseNegatives|Excessive False Negatives
    00240053CSFalsePositivesEstimateFlag|False Positives Estimate Flag
    00240054FLFalsePositivesEstimate|False Positives Estimate
    00240055CSCatchTrialsDataFlag|Catch Trials Data Flag
    00240056USPositiveCatchTrialsQuantity|Positive Catch Trials Quantity
    00240057CSTestPointNormalsDataFlag|Test Point Normals Data Flag
    00240058SQTestPointNormalsSequence|Test Point Normals Sequence
    00240059CSGlobalDeviationProbabilityNormalsFlag|Global Deviation Probability Normals Flag
    00240060USFalsePositivesQuantity|False Positives Quantity
    00240061CSExcessiveFalsePositivesDataFlag|Excessive False Positives Data Flag
    00240062CSExcessiveFalsePositives|Excessive False Positives
    00240063CSVisualFieldTestNormalsFlag|Visual Field Test Normals Flag
    00240064SQResultsNormalsSequence|Results Normals Sequence
    00240065SQAgeCorrectedSensitivityDeviationAlgorithmSequence|Age Corrected Sensitivity Deviation Algorithm Sequence
    00240066FLGlobalDeviationFromNormal|Global Deviation From Normal
    00240067SQGeneralizedDefectSensitivityDeviationAlgorithmSequence|Generalized Defect Sensitivity Deviation Algorithm Sequence
    00240068FLLocalizedDeviationFromNormal|Localized Deviation From Normal
    00240069LOPatientReliabilityIndicator|Patient Reliability Indicator
    00240070FLVisualFieldMeanSensitivity|Visual Field Mean Sensitivity
    00240071FLGlobalDeviationProbability|Global Deviation Probability
    00240072CSLocalDeviationProbabilityNormalsFlag|Local Deviation Probability Normals Flag
    00240073FLLocalizedDeviationProbability|Localized Deviation Probability
    00240074CSShortTermFluctuationCalculated|Short Term Fluctuation Calculated
    00240075FLShortTermFluctuation|Short Term Fluctuation
    00240076CSShortTermFluctuationProbabilityCalculated|Short Term Fluctuation Probability Calculated
    00240077FLShortTermFluctuationProbability|Short Term Fluctuation Probability
    00240078CSCorrectedLocalizedDeviationFromNormalCalculated|Corrected Localized Deviation From Normal Calculated
    00240079FLCorrectedLocalizedDeviationFromNormal|Corrected Localized Deviation From Normal
    00240080CSCorrectedLocalizedDeviationFromNormalProbabilityCalculated|Corrected Localized Deviation From Normal Probability Calculated
    00240081FLCorrectedLocalizedDeviationFromNormalProbability|Corrected Localized Deviation From Normal Probability
    00240083SQGlobalDeviationProbabilitySequence|Global Deviation Probability Sequence
    00240085SQLocalizedDeviationProbabilitySequence|Localized Deviation Probability Sequence
    00240086CSFovealSensitivityMeasured|Foveal Sensitivity Measured
    00240087FLFovealSensitivity|Foveal Sensitivity
    00240088FLVisualFieldTestDuration|Visual Field Test Duration
    00240089SQVisualFieldTestPointSequence|Visual Field Test Point Sequence
    00240090FLVisualFieldTestPointXCoordinate|Visual Field Test Point X-Coordinate
    00240091FLVisualFieldTestPointYCoordinate|Visual Field Test Point Y-Coordinate
    00240092FLAgeCorrectedSensitivityDeviationValue|Age Corrected Sensitivity Deviation Value
    00240093CSStimulusResults|Stimulus Results
    00240094FLSensitivityValue|Sensitivity Value
    00240095CSRetestStimulusSeen|Retest Stimulus Seen
    00240096FLRetestSensitivityValue|Retest Sensitivity Value
    00240097SQVisualFieldTestPointNormalsSequence|Visual Field Test Point Normals Sequence
    00240098FLQuantifiedDefect|Quantified Defect
    00240100FLAgeCorrectedSensitivityDeviationProbabilityValue|Age Corrected Sensitivity Deviation Probability Value
    00240102CSGeneralizedDefectCorrectedSensitivityDeviationFlag|Generalized Defect Corrected Sensitivity Deviation Flag
    00240103FLGeneralizedDefectCorrectedSensitivityDeviationValue|Generalized Defect Corrected Sensitivity Deviation Value
    00240104FLGeneralizedDefectCorrectedSensitivityDeviationProbabilityValue|Generalized Defect Corrected Sensitivity Deviation Probability Value
    00240105FLMinimumSensitivityValue|Minimum Sensitivity Value
    00240106CSBlindSpotLocalized|Blind Spot Localized
    00240107FLBlindSpotXCoordinate|Blind Spot X-Coordinate
    00240108FLBlindSpotYCoordinate|Blind Spot Y-Coordinate
    00240110SQVisualAcuityMeasurementSequence|Visual Acuity Measurement Sequence
    00240112SQRefractiveParametersUsedOnPatientSequence|Refractive Parameters Used on Patient Sequence
    00240113CSMeasurementLaterality|Measurement Laterality
    00240114SQOphthalmicPatientClinicalInformationLeftEyeSequence|Ophthalmic Patient Clinical Information Left Eye Sequence
    00240115SQOphthalmicPatientClinicalInformationRightEyeSequence|Ophthalmic Patient Clinical Information Right Eye Sequence
    00240117CSFovealPointNormativeDataFlag|Foveal Point Normative Data Flag
    00240118FLFovealPointProbabilityValue|Foveal Point Probability Value
    00240120CSScreeningBaselineMeasured|Screening Baseline Measured
    00240122SQScreeningBaselineMeasuredSequence|Screening Baseline Measured Sequence
    00240124CSScreeningBaselineType|Screening Baseline Type
    00240126FLScreeningBaselineValue|Screening Baseline Value
    00240202LOAlgorithmSource|Algorithm Source
    00240306LODataSetName|Data Set Name
    00240307LODataSetVersion|Data Set Version
    00240308LODataSetSource|Data Set Source
    00240309LODataSetDescription|Data Set Description
    00240317SQVisualFieldTestReliabilityGlobalIndexSequence|Visual Field Test Reliability Global Index Sequence
    00240320SQVisualFieldGlobalResultsIndexSequence|Visual Field Global Results Index Sequence
    00240325SQDataObservationSequence|Data Observation Sequence
    00240338CSIndexNormalsFlag|Index Normals Flag
    00240341FLIndexProbability|Index Probability
    00240344SQIndexProbabilitySequence|Index Probability Sequence
    00280002USSamplesPerPixel|Samples per Pixel
    00280003USSamplesPerPixelUsed|Samples per Pixel Used
    00280004CSPhotometricInterpretation|Photometric Interpretation
    00280005USImageDimensions|Image Dimensions
    00280006USPlanarConfiguration|Planar Configuration
    00280008ISNumberOfFrames|Number of Frames
    00280009ATFrameIncrementPointer|Frame Increment Pointer
    0028000AATFrameDimensionPointer|Frame Dimension Pointer
    00280010USRows|Rows
    00280011USColumns|Columns
    00280012USPlanes|Planes
    00280014USUltrasoundColorDataPresent|Ultrasound Color Data Present
    00280030DSPixelSpacing|Pixel Spacing
    00280031DSZoomFactor|Zoom Factor
    00280032DSZoomCenter|Zoom Center
    00280034ISPixelAspectRatio|Pixel Aspect Ratio
    00280040CSImageFormat|Image Format
    00280050LOManipulatedImage|Manipulated Image
    00280051CSCorrectedImage|Corrected Image
    0028005FLOCompressionRecognitionCode|Compression Recognition Code
    00280060CSCompressionCode|Compression Code
    00280061SHCompressionOriginator|Compression Originator
    00280062LOCompressionLabel|Compression Label
    00280063SHCompressionDescription|Compression Description
    00280065CSCompressionSequence|Compression Sequence
    00280066ATCompressionStepPointers|Compression Step Pointers
    00280068USRepeatInterval|Repeat Interval
    00280069USBitsGrouped|Bits Grouped
    00280070USPerimeterTable|Perimeter Table
    00280071USPerimeterValue|Perimeter Value
    00280080USPredictorRows|Predictor Rows
    00280081USPredictorColumns|Predictor Columns
    00280082USPredictorConstants|Predictor Constants
    00280090CSBlockedPixels|Blocked Pixels
    00280091USBlockRows|Block Rows
    00280092USBlockColumns|Block Columns
    00280093USRowOverlap|Row Overlap
    00280094USColumnOverlap|Column Overlap
    00280100USBitsAllocated|Bits Allocated
    00280101USBitsStored|Bits Stored
    00280102USHighBit|High Bit
    00280103USPixelRepresentation|Pixel Representation
    00280104USSmallestValidPixelValue|Smallest Valid Pixel Value
    00280105USLargestValidPixelValue|Largest Valid Pixel Value
    00280106USSmallestImagePixelValue|Smallest Image Pixel Value
    00280107USLargestImagePixelValue|Largest Image Pixel Value
    00280108USSmallestPixelValueInSeries|Smallest Pixel Value in Series
    00280109USLargestPixelValueInSeries|Largest Pixel Value in Series
    00280110USSmallestImagePixelValueInPlane|Smallest Image Pixel Value in Plane
    00280111USLargestImagePixelValueInPlane|Largest Image Pixel Value in Plane
    00280120USPixelPaddingValue|Pixel Padding Value
    00280121USPixelPaddingRangeLimit|Pixel Padding Range Limit
    00280122FLFloatPixelPaddingValue|Float Pixel Padding Value
    00280123FDDoubleFloatPixelPaddingValue|Double Float Pixel Padding Value
    00280124FLFloatPixelPaddingRangeLimit|Float Pixel Padding Range Limit
    00280125FDDoubleFloatPixelPaddingRangeLimit|Double Float Pixel Padding Range Limit
    00280200USImageLocation|Image Location
    00280300CSQualityControlImage|Quality Control Image
    00280301CSBurnedInAnnotation|Burned In Annotation
    00280302CSRecognizableVisualFeatures|Recognizable Visual Features
    00280303CSLongitudinalTemporalInformationModified|Longitudinal Temporal Information Modified
    00280304UIReferencedColorPaletteInstanceUID|Referenced Color Palette Instance UID
    00280400LOTransformLabel|Transform Label
    00280401LOTransformVersionNumber|Transform Version Number
    00280402USNumberOfTransformSteps|Number of Transform Steps
    00280403LOSequenceOfCompressedData|Sequence of Compressed Data
    00280404ATDetailsOfCoefficients|Details of Coefficients
    00280410USRowsForNthOrderCoefficients|Rows For Nth Order Coefficients
    00280411USColumnsForNthOrderCoefficients|Columns For Nth Order Coefficients
    00280412LOCoefficientCoding|Coefficient Coding
    00280413ATCoefficientCodingPointers|Coefficient Coding Pointers
    00280700LODCTLabel|DCT Label
    00280701CSDataBlockDescription|Data Block Description
    00280702ATDataBlock|Data Block
    00280710USNormalizationFactorFormat|Normalization Factor Format
    00280720USZonalMapNumberFormat|Zonal Map Number Format
    00280721ATZonalMapLocation|Zonal Map Location
    00280722USZonalMapFormat|Zonal Map Format
    00280730USAdaptiveMapFormat|Adaptive Map Format
    00280740USCodeNumberFormat|Code Number Format
    00280800CSCodeLabel|Code Label
    00280802USNumberOfTables|Number Of Tables
    00280803ATCodeTableLocation|Code Table Location
    00280804USBitsForCodeWord|Bits For Code Word
    00280808ATImageDataLocation|Image Data Location
    00280A02CSPixelSpacingCalibrationType|Pixel Spacing Calibration Type
    00280A04LOPixelSpacingCalibrationDescription|Pixel Spacing Calibration Description
    00281040CSPixelIntensityRelationship|Pixel Intensity Relationship
    00281041SSPixelIntensityRelationshipSign|Pixel Intensity Relationship Sign
    00281050DSWindowCenter|Window Center
    00281051DSWindowWidth|Window Width
    00281052DSRescaleIntercept|Rescale Intercept
    00281053DSRescaleSlope|Rescale Slope
    00281054LORescaleType|Rescale Type
    00281055LOWindowCenterWidthExplanation|Window Center & Width Explanation
    00281056CSVOILUTFunction|VOI LUT Function
    00281080CSGrayScale|Gray Scale
    00281090CSRecommendedViewingMode|Recommended Viewing Mode
    00281100USGrayLookupTableDescriptor|Gray Lookup Table Descriptor
    00281101USRedPaletteColorLookupTableDescriptor|Red Palette Color Lookup Table Descriptor
    00281102USGreenPaletteColorLookupTableDescriptor|Green Palette Color Lookup Table Descriptor
    00281103USBluePaletteColorLookupTableDescriptor|Blue Palette Color Lookup Table Descriptor
    00281104USAlphaPaletteColorLookupTableDescriptor|Alpha Palette Color Lookup Table Descriptor
    00281111USLargeRedPaletteColorLookupTableDescriptor|Large Red Palette Color Lookup Table Descriptor
    00281112USLargeGreenPaletteColorLookupTableDescriptor|Large Green Palette Color Lookup Table Descriptor
    00281113USLargeBluePaletteColorLookupTableDescriptor|Large Blue Palette Color Lookup Table Descriptor
    00281199UIPaletteColorLookupTableUID|Palette Color Lookup Table UID
    00281200OWGrayLookupTableData|Gray Lookup Table Data
    00281201OWRedPaletteColorLookupTableData|Red Palette Color Lookup Table Data
    00281202OWGreenPaletteColorLookupTableData|Green Palette Color Lookup Table Data
    00281203OWBluePaletteColorLookupTableData|Blue Palette Color Lookup Table Data
    00281204OWAlphaPaletteColorLookupTableData|Alpha Palette Color Lookup Table Data
    00281211OWLargeRedPaletteColorLookupTableData|Large Red Palette Color Lookup Table Data
    00281212OWLargeGreenPaletteColorLookupTableData|Large Green Palette Color Lookup Table Data
    00281213OWLargeBluePaletteColorLookupTableData|Large Blue Palette Color Lookup Table Data
    00281214UILargePaletteColorLookupTableUID|Large Palette Color Lookup Table UID
    00281221OWSegmentedRedPaletteColorLookupTableData|Segmented Red Palette Color Lookup Table Data
    00281222OWSegmentedGreenPaletteColorLookupTableData|Segmented Green Palette Color Lookup Table Data
    00281223OWSegmentedBluePaletteColorLookupTableData|Segmented Blue Palette Color Lookup Table Data
    00281224OWSegmentedAlphaPaletteColorLookupTableData|Segmented Alpha Palette Color Lookup Table Data
    00281230SQStoredValueColorRangeSequence|Stored Value Color Range Sequence
    00281231FDMinimumStoredValueMapped|Minimum Stored Value Mapped
    00281232FDMaximumStoredValueMapped|Maximum Stored Value Mapped
    00281300CSBreastImplantPresent|Breast Implant Present
    00281350CSPartialView|Partial View
    00281351STPartialViewDescription|Partial View Description
    00281352SQPartialViewCodeSequence|Partial View Code Sequence
    0028135ACSSpatialLocationsPreserved|Spatial Locations Preserved
    00281401SQDataFrameAssignmentSequence|Data Frame Assignment Sequence
    00281402CSDataPathAssignment|Data Path Assignment
    00281403USBitsMappedToColorLookupTable|Bits Mapped to Color Lookup Table
    00281404SQBlendingLUT1Sequence|Blending LUT 1 Sequence
    00281405CSBlendingLUT1TransferFunction|Blending LUT 1 Transfer Function
    00281406FDBlendingWeightConstant|Blending Weight Constant
    00281407USBlendingLookupTableDescriptor|Blending Lookup Table Descriptor
    00281408OWBlendingLookupTableData|Blending Lookup Table Data
    0028140BSQEnhancedPaletteColorLookupTableSequence|Enhanced Palette Color Lookup Table Sequence
    0028140CSQBlendingLUT2Sequence|Blending LUT 2 Sequence
    0028140DCSBlendingLUT2TransferFunction|Blending LUT 2 Transfer Function
    0028140ECSDataPathID|Data Path ID
    0028140FCSRGBLUTTransferFunction|RGB LUT Transfer Function
    00281410CSAlphaLUTTransferFunction|Alpha LUT Transfer Function
    00282000OBICCProfile|ICC Profile
    00282002CSColorSpace|Color Space
    00282110CSLossyImageCompression|Lossy Image Compression
    00282112DSLossyImageCompressionRatio|Lossy Image Compression Ratio
    00282114CSLossyImageCompressionMethod|Lossy Image Compression Method
    00283000SQModalityLUTSequence|Modality LUT Sequence
    00283001SQVariableModalityLUTSequence|Variable Modality LUT Sequence
    00283002USLUTDescriptor|LUT Descriptor
    00283003LOLUTExplanation|LUT Explanation
    00283004LOModalityLUTType|Modality LUT Type
    00283006OWLUTData|LUT Data
    00283010SQVOILUTSequence|VOI LUT Sequence
    00283110SQSoftcopyVOILUTSequence|Softcopy VOI LUT Sequence
    00284000LTImagePresentationComments|Image Presentation Comments
    00285000SQBiPlaneAcquisitionSequence|Bi-Plane Acquisition Sequence
    00286010USRepresentativeFrameNumber|Representative Frame Number
    00286020USFrameNumbersOfInterest|Frame Numbers of Interest (FOI)
    00286022LOFrameOfInterestDescription|Frame of Interest Description
    00286023CSFrameOfInterestType|Frame of Interest Type
    00286030USMaskPointers|Mask Pointer(s)
    00286040USRWavePointer|R Wave Pointer
    00286100SQMaskSubtractionSequence|Mask Subtraction Sequence
    00286101CSMaskOperation|Mask Operation
    00286102USApplicableFrameRange|Applicable Frame Range
    00286110USMaskFrameNumbers|Mask Frame Numbers
    00286112USContrastFrameAveraging|Contrast Frame Averaging
    00286114FLMaskSubPixelShift|Mask Sub-pixel Shift
    00286120SSTIDOffset|TID Offset
    00286190STMaskOperationExplanation|Mask Operation Explanation
    00287000SQEquipmentAdministratorSequence|Equipment Administrator Sequence
    00287001USNumberOfDisplaySubsystems|Number of Display Subsystems
    00287002USCurrentConfigurationID|Current Configuration ID
    00287003USDisplaySubsystemID|Display Subsystem ID
    00287004SHDisplaySubsystemName|Display Subsystem Name
    00287005LODisplaySubsystemDescription|Display Subsystem Description
    00287006CSSystemStatus|System Status
    00287007LOSystemStatusComment|System Status Comment
    00287008SQTargetLuminanceCharacteristicsSequence|Target Luminance Characteristics Sequence
    00287009USLuminanceCharacteristicsID|Luminance Characteristics ID
    0028700ASQDisplaySubsystemConfigurationSequence|Display Subsystem Configuration Sequence
    0028700BUSConfigurationID|Configuration ID
    0028700CSHConfigurationName|Configuration Name
    0028700DLOConfigurationDescription|Configuration Description
    0028700EUSReferencedTargetLuminanceCharacteristicsID|Referenced Target Luminance Characteristics ID
    0028700FSQQAResultsSequence|QA Results Sequence
    00287010SQDisplaySubsystemQAResultsSequence|Display Subsystem QA Results Sequence
    00287011SQConfigurationQAResultsSequence|Configuration QA Results Sequence
    00287012SQMeasurementEquipmentSequence|Measurement Equipment Sequence
    00287013CSMeasurementFunctions|Measurement Functions
    00287014CSMeasurementEquipmentType|Measurement Equipment Type
    00287015SQVisualEvaluationResultSequence|Visual Evaluation Result Sequence
    00287016SQDisplayCalibrationResultSequence|Display Calibration Result Sequence
    00287017USDDLValue|DDL Value
    00287018FLCIExyWhitePoint|CIExy White Point
    00287019CSDisplayFunctionType|Display Function Type
    0028701AFLGammaValue|Gamma Value
    0028701BUSNumberOfLuminancePoints|Number of Luminance Points
    0028701CSQLuminanceResponseSequence|Luminance Response Sequence
    0028701DFLTargetMinimumLuminance|Target Minimum Luminance
    0028701EFLTargetMaximumLuminance|Target Maximum Luminance
    0028701FFLLuminanceValue|Luminance Value
    00287020LOLuminanceResponseDescription|Luminance Response Description
    00287021CSWhitePointFlag|White Point Flag
    00287022SQDisplayDeviceTypeCodeSequence|Display Device Type Code Sequence
    00287023SQDisplaySubsystemSequence|Display Subsystem Sequence
    00287024SQLuminanceResultSequence|Luminance Result Sequence
    00287025CSAmbientLightValueSource|Ambient Light Value Source
    00287026CSMeasuredCharacteristics|Measured Characteristics
    00287027SQLuminanceUniformityResultSequence|Luminance Uniformity Result Sequence
    00287028SQVisualEvaluationTestSequence|Visual Evaluation Test Sequence
    00287029CSTestResult|Test Result
    0028702ALOTestResultComment|Test Result Comment
    0028702BCSTestImageValidation|Test Image Validation
    0028702CSQTestPatternCodeSequence|Test Pattern Code Sequence
    0028702DSQMeasurementPatternCodeSequence|Measurement Pattern Code Sequence
    0028702ESQVisualEvaluationMethodCodeSequence|Visual Evaluation Method Code Sequence
    00287FE0URPixelDataProviderURL|Pixel Data Provider URL
    00289001ULDataPointRows|Data Point Rows
    00289002ULDataPointColumns|Data Point Columns
    00289003CSSignalDomainColumns|Signal Domain Columns
    00289099USLargestMonochromePixelValue|Largest Monochrome Pixel Value
    00289108CSDataRepresentation|Data Representation
    00289110SQPixelMeasuresSequence|Pixel Measures Sequence
    00289132SQFrameVOILUTSequence|Frame VOI LUT Sequence
    00289145SQPixelValueTransformationSequence|Pixel Value Transformation Sequence
    00289235CSSignalDomainRows|Signal Domain Rows
    00289411FLDisplayFilterPercentage|Display Filter Percentage
    00289415SQFramePixelShiftSequence|Frame Pixel Shift Sequence
    00289416USSubtractionItemID|Subtraction Item ID
    00289422SQPixelIntensityRelationshipLUTSequence|Pixel Intensity Relationship LUT Sequence
    00289443SQFramePixelDataPropertiesSequence|Frame Pixel Data Properties Sequence
    00289444CSGeometricalProperties|Geometrical Properties
    00289445FLGeometricMaximumDistortion|Geometric Maximum Distortion
    00289446CSImageProcessingApplied|Image Processing Applied
    00289454CSMaskSelectionMode|Mask Selection Mode
    00289474CSLUTFunction|LUT Function
    00289478FLMaskVisibilityPercentage|Mask Visibility Percentage
    00289501SQPixelShiftSequence|Pixel Shift Sequence
    00289502SQRegionPixelShiftSequence|Region Pixel Shift Sequence
    00289503SSVerticesOfTheRegion|Vertices of the Region
    00289505SQMultiFramePresentationSequence|Multi-frame Presentation Sequence
    00289506USPixelShiftFrameRange|Pixel Shift Frame Range
    00289507USLUTFrameRange|LUT Frame Range
    00289520DSImageToEquipmentMappingMatrix|Image to Equipment Mapping Matrix
    00289537CSEquipmentCoordinateSystemIdentification|Equipment Coordinate System Identification
    0032000ACSStudyStatusID|Study Status ID
    0032000CCSStudyPriorityID|Study Priority ID
    00320012LOStudyIDIssuer|Study ID Issuer
    00320032DAStudyVerifiedDate|Study Verified Date
    00320033TMStudyVerifiedTime|Study Verified Time
    00320034DAStudyReadDate|Study Read Date
    00320035TMStudyReadTime|Study Read Time
    00321000DAScheduledStudyStartDate|Scheduled Study Start Date
    00321001TMScheduledStudyStartTime|Scheduled Study Start Time
    00321010DAScheduledStudyStopDate|Scheduled Study Stop Date
    00321011TMScheduledStudyStopTime|Scheduled Study Stop Time
    00321020LOScheduledStudyLocation|Scheduled Study Location
    00321021AEScheduledStudyLocationAETitle|Scheduled Study Location AE Title
    00321030LOReasonForStudy|Reason for Study
    00321031SQRequestingPhysicianIdentificationSequence|Requesting Physician Identification Sequence
    00321032PNRequestingPhysician|Requesting Physician
    00321033LORequestingService|Requesting Service
    00321034SQRequestingServiceCodeSequence|Requesting Service Code Sequence
    00321040DAStudyArrivalDate|Study Arrival Date
    00321041TMStudyArrivalTime|Study Arrival Time
    00321050DAStudyCompletionDate|Study Completion Date
    00321051TMStudyCompletionTime|Study Completion Time
    00321055CSStudyComponentStatusID|Study Component Status ID
    00321060LORequestedProcedureDescription|Requested Procedure Description
    00321064SQRequestedProcedureCodeSequence|Requested Procedure Code Sequence
    00321065SQRequestedLateralityCodeSequence|Requested Laterality Code Sequence
    00321066UTReasonForVisit|Reason for Visit
    00321067SQReasonForVisitCodeSequence|Reason for Visit Code Sequence
    00321070LORequestedContrastAgent|Requested Contrast Agent
    00324000LTStudyComments|Study Comments
    00340001SQFlowIdentifierSequence|Flow Identifier Sequence
    00340002OBFlowIdentifier|Flow Identifier
    00340003UIFlowTransferSyntaxUID|Flow Transfer Syntax UID
    00340004ULFlowRTPSamplingRate|Flow RTP Sampling Rate
    00340005OBSourceIdentifier|Source Identifier
    00340007OBFrameOriginTimestamp|Frame Origin Timestamp
    00340008CSIncludesImagingSubject|Includes Imaging Subject
    00340009SQFrameUsefulnessGroupSequence|Frame Usefulness Group Sequence
    0034000ASQRealTimeBulkDataFlowSequence|Real-Time Bulk Data Flow Sequence
    0034000BSQCameraPositionGroupSequence|Camera Position Group Sequence
    0034000CCSIncludesInformation|Includes Information
    0034000DSQTimeOfFrameGroupSequence|Time of Frame Group Sequence
    00380004SQReferencedPatientAliasSequence|Referenced Patient Alias Sequence
    00380008CSVisitStatusID|Visit Status ID
    00380010LOAdmissionID|Admission ID
    00380011LOIssuerOfAdmissionID|Issuer of Admission ID
    00380014SQIssuerOfAdmissionIDSequence|Issuer of Admission ID Sequence
    00380016LORouteOfAdmissions|Route of Admissions
    0038001ADAScheduledAdmissionDate|Scheduled Admission Date
    0038001BTMScheduledAdmissionTime|Scheduled Admission Time
    0038001CDAScheduledDischargeDate|Scheduled Discharge Date
    0038001DTMScheduledDischargeTime|Scheduled Discharge Time
    0038001ELOScheduledPatientInstitutionResidence|Scheduled Patient Institution Residence
    00380020DAAdmittingDate|Admitting Date
    00380021TMAdmittingTime|Admitting Time
    00380030DADischargeDate|Discharge Date
    00380032TMDischargeTime|Discharge Time
    00380040LODischargeDiagnosisDescription|Discharge Diagnosis Description
    00380044SQDischargeDiagnosisCodeSequence|Discharge Diagnosis Code Sequence
    00380050LOSpecialNeeds|Special Needs
    00380060LOServiceEpisodeID|Service Episode ID
    00380061LOIssuerOfServiceEpisodeID|Issuer of Service Episode ID
    00380062LOServiceEpisodeDescription|Service Episode Description
    00380064SQIssuerOfServiceEpisodeIDSequence|Issuer of Service Episode ID Sequence
    00380100SQPertinentDocumentsSequence|Pertinent Documents Sequence
    00380101SQPertinentResourcesSequence|Pertinent Resources Sequence
    00380102LOResourceDescription|Resource Description
    00380300LOCurrentPatientLocation|Current Patient Location
    00380400LOPatientInstitutionResidence|Patient's Institution Residence
    00380500LOPatientState|Patient State
    00380502SQPatientClinicalTrialParticipationSequence|Patient Clinical Trial Participation Sequence
    00384000LTVisitComments|Visit Comments
    003A0004CSWaveformOriginality|Waveform Originality
    003A0005USNumberOfWaveformChannels|Number of Waveform Channels
    003A0010ULNumberOfWaveformSamples|Number of Waveform Samples
    003A001ADSSamplingFrequency|Sampling Frequency
    003A0020SHMultiplexGroupLabel|Multiplex Group Label
    003A0200SQChannelDefinitionSequence|Channel Definition Sequence
    003A0202ISWaveformChannelNumber|Waveform Channel Number
    003A0203SHChannelLabel|Channel Label
    003A0205CSChannelStatus|Channel Status
    003A0208SQChannelSourceSequence|Channel Source Sequence
    003A0209SQChannelSourceModifiersSequence|Channel Source Modifiers Sequence
    003A020ASQSourceWaveformSequence|Source Waveform Sequence
    003A020CLOChannelDerivationDescription|Channel Derivation Description
    003A0210DSChannelSensitivity|Channel Sensitivity
    003A0211SQChannelSensitivityUnitsSequence|Channel Sensitivity Units Sequence
    003A0212DSChannelSensitivityCorrectionFactor|Channel Sensitivity Correction Factor
    003A0213DSChannelBaseline|Channel Baseline
    003A0214DSChannelTimeSkew|Channel Time Skew
    003A0215DSChannelSampleSkew|Channel Sample Skew
    003A0218DSChannelOffset|Channel Offset
    003A021AUSWaveformBitsStored|Waveform Bits Stored
    003A0220DSFilterLowFrequency|Filter Low Frequency
    003A0221DSFilterHighFrequency|Filter High Frequency
    003A0222DSNotchFilterFrequency|Notch Filter Frequency
    003A0223DSNotchFilterBandwidth|Notch Filter Bandwidth
    003A0230FLWaveformDataDisplayScale|Waveform Data Display Scale
    003A0231USWaveformDisplayBackgroundCIELabValue|Waveform Display Background CIELab Value
    003A0240SQWaveformPresentationGroupSequence|Waveform Presentation Group Sequence
    003A0241USPresentationGroupNumber|Presentation Group Number
    003A0242SQChannelDisplaySequence|Channel Display Sequence
    003A0244USChannelRecommendedDisplayCIELabValue|Channel Recommended Display CIELab Value
    003A0245FLChannelPosition|Channel Position
    003A0246CSDisplayShadingFlag|Display Shading Flag
    003A0247FLFractionalChannelDisplayScale|Fractional Channel Display Scale
    003A0248FLAbsoluteChannelDisplayScale|Absolute Channel Display Scale
    003A0300SQMultiplexedAudioChannelsDescriptionCodeSequence|Multiplexed Audio Channels Description Code Sequence
    003A0301ISChannelIdentificationCode|Channel Identification Code
    003A0302CSChannelMode|Channel Mode
    003A0310UIMultiplexGroupUID|Multiplex Group UID
    003A0311DSPowerlineFrequency|Powerline Frequency
    003A0312SQChannelImpedanceSequence|Channel Impedance Sequence
    003A0313DSImpedanceValue|Impedance Value
    003A0314DTImpedanceMeasurementDateTime|Impedance Measurement DateTime
    003A0315DSImpedanceMeasurementFrequency|Impedance Measurement Frequency
    003A0316CSImpedanceMeasurementCurrentType|Impedance Measurement Current Type
    003A0317CSWaveformAmplifierType|Waveform Amplifier Type
    003A0318SQFilterLowFrequencyCharacteristicsSequence|Filter Low Frequency Characteristics Sequence
    003A0319SQFilterHighFrequencyCharacteristicsSequence|Filter High Frequency Characteristics Sequence
    003A0320SQSummarizedFilterLookupTable|Summarized Filter Lookup Table Sequence
    003A0321SQNotchFilterCharacteristicsSequence|Notch Filter Characteristics Sequence
    003A0322CSWaveformFilterType|Waveform Filter Type
    003A0323SQAnalogFilterCharacteristicsSequence|Analog Filter Characteristics Sequence
    003A0324DSAnalogFilterRollOff|Analog Filter Roll Off
    003A0325SQAnalogFilterType|Analog Filter Type Code Sequence
    003A0326SQDigitalFilterCharacteristicsSequence|Digital Filter Characteristics Sequence
    003A0327ISDigitalFilterOrder|Digital Filter Order
    003A0328SQDigitalFilterTypeCodeSequence|Digital Filter Type Code Sequence
    003A0329STWaveformFilterDescription|Waveform Filter Description
    003A032ASQFilterLookupTableSequence|Filter Lookup Table Sequence
    003A032BSTFilterLookupTableDescription|Filter Lookup Table Description
    003A032CSQFrequencyEncodingCodeSequence|Frequency Encoding Code Sequence
    003A032DSQMagnitudeEncodingCodeSequence|Magnitude Encoding Code Sequence
    003A032EODFilterLookupTableData|Filter Lookup Table Data
    00400001AEScheduledStationAETitle|Scheduled Station AE Title
    00400002DAScheduledProcedureStepStartDate|Scheduled Procedure Step Start Date
    00400003TMScheduledProcedureStepStartTime|Scheduled Procedure Step Start Time
    00400004DAScheduledProcedureStepEndDate|Scheduled Procedure Step End Date
    00400005TMScheduledProcedureStepEndTime|Scheduled Procedure Step End Time
    00400006PNScheduledPerformingPhysicianName|Scheduled Performing Physician's Name
    00400007LOScheduledProcedureStepDescription|Scheduled Procedure Step Description
    00400008SQScheduledProtocolCodeSequence|Scheduled Protocol Code Sequence
    00400009SHScheduledProcedureStepID|Scheduled Procedure Step ID
    0040000ASQStageCodeSequence|Stage Code Sequence
    0040000BSQScheduledPerformingPhysicianIdentificationSequence|Scheduled Performing Physician Identification Sequence
    00400010SHScheduledStationName|Scheduled Station Name
    00400011SHScheduledProcedureStepLocation|Scheduled Procedure Step Location
    00400012LOPreMedication|Pre-Medication
    00400020CSScheduledProcedureStepStatus|Scheduled Procedure Step Status
    00400026SQOrderPlacerIdentifierSequence|Order Placer Identifier Sequence
    00400027SQOrderFillerIdentifierSequence|Order Filler Identifier Sequence
    00400031UTLocalNamespaceEntityID|Local Namespace Entity ID
    00400032UTUniversalEntityID|Universal Entity ID
    00400033CSUniversalEntityIDType|Universal Entity ID Type
    00400035CSIdentifierTypeCode|Identifier Type Code
    00400036SQAssigningFacilitySequence|Assigning Facility Sequence
    00400039SQAssigningJurisdictionCodeSequence|Assigning Jurisdiction Code Sequence
    0040003ASQAssigningAgencyOrDepartmentCodeSequence|Assigning Agency or Department Code Sequence
    00400100SQScheduledProcedureStepSequence|Scheduled Procedure Step Sequence
    00400220SQReferencedNonImageCompositeSOPInstanceSequence|Referenced Non-Image Composite SOP Instance Sequence
    00400241AEPerformedStationAETitle|Performed Station AE Title
    00400242SHPerformedStationName|Performed Station Name
    00400243SHPerformedLocation|Performed Location
    00400244DAPerformedProcedureStepStartDate|Performed Procedure Step Start Date
    00400245TMPerformedProcedureStepStartTime|Performed Procedure Step Start Time
    00400250DAPerformedProcedureStepEndDate|Performed Procedure Step End Date
    00400251TMPerformedProcedureStepEndTime|Performed Procedure Step End Time
    00400252CSPerformedProcedureStepStatus|Performed Procedure Step Status
    00400253SHPerformedProcedureStepID|Performed Procedure Step ID
    00400254LOPerformedProcedureStepDescription|Performed Procedure Step Description
    00400255LOPerformedProcedureTypeDescription|Performed Procedure Type Description
    00400260SQPerformedProtocolCodeSequence|Performed Protocol Code Sequence
    00400261CSPerformedProtocolType|Performed Protocol Type
    00400270SQScheduledStepAttributesSequence|Scheduled Step Attributes Sequence
    00400275SQRequestAttributesSequence|Request Attributes Sequence
    00400280STCommentsOnThePerformedProcedureStep|Comments on the Performed Procedure Step
    00400281SQPerformedProcedureStepDiscontinuationReasonCodeSequence|Performed Procedure Step Discontinuation Reason Code Sequence
    00400293SQQuantitySequence|Quantity Sequence
    00400294DSQuantity|Quantity
    00400295SQMeasuringUnitsSequence|Measuring Units Sequence
    00400296SQBillingItemSequence|Billing Item Sequence
    00400300USTotalTimeOfFluoroscopy|Total Time of Fluoroscopy
    00400301USTotalNumberOfExposures|Total Number of Exposures
    00400302USEntranceDose|Entrance Dose
    00400303USExposedArea|Exposed Area
    00400306DSDistanceSourceToEntrance|Distance Source to Entrance
    00400307DSDistanceSourceToSupport|Distance Source to Support
    0040030ESQExposureDoseSequence|Exposure Dose Sequence
    00400310STCommentsOnRadiationDose|Comments on Radiation Dose
    00400312DSXRayOutput|X-Ray Output
    00400314DSHalfValueLayer|Half Value Layer
    00400316DSOrganDose|Organ Dose
    00400318CSOrganExposed|Organ Exposed
    00400320SQBillingProcedureStepSequence|Billing Procedure Step Sequence
    00400321SQFilmConsumptionSequence|Film Consumption Sequence
    00400324SQBillingSuppliesAndDevicesSequence|Billing Supplies and Devices Sequence
    00400330SQReferencedProcedureStepSequence|Referenced Procedure Step Sequence
    00400340SQPerformedSeriesSequence|Performed Series Sequence
    00400400LTCommentsOnTheScheduledProcedureStep|Comments on the Scheduled Procedure Step
    00400440SQProtocolContextSequence|Protocol Context Sequence
    00400441SQContentItemModifierSequence|Content Item Modifier Sequence
    00400500SQScheduledSpecimenSequence|Scheduled Specimen Sequence
    0040050ALOSpecimenAccessionNumber|Specimen Accession Number
    00400512LOContainerIdentifier|Container Identifier
    00400513SQIssuerOfTheContainerIdentifierSequence|Issuer of the Container Identifier Sequence
    00400515SQAlternateContainerIdentifierSequence|Alternate Container Identifier Sequence
    00400518SQContainerTypeCodeSequence|Container Type Code Sequence
    0040051ALOContainerDescription|Container Description
    00400520SQContainerComponentSequence|Container Component Sequence
    00400550SQSpecimenSequence|Specimen Sequence
    00400551LOSpecimenIdentifier|Specimen Identifier
    00400552SQSpecimenDescriptionSequenceTrial|Specimen Description Sequence (Trial)
    00400553STSpecimenDescriptionTrial|Specimen Description (Trial)
    00400554UISpecimenUID|Specimen UID
    00400555SQAcquisitionContextSequence|Acquisition Context Sequence
    00400556STAcquisitionContextDescription|Acquisition Context Description
    00400560SQSpecimenDescriptionSequence|Specimen Description Sequence
    00400562SQIssuerOfTheSpecimenIdentifierSequence|Issuer of the Specimen Identifier Sequence
    0040059ASQSpecimenTypeCodeSequence|Specimen Type Code Sequence
    00400600LOSpecimenShortDescription|Specimen Short Description
    00400602UTSpecimenDetailedDescription|Specimen Detailed Description
    00400610SQSpecimenPreparationSequence|Specimen Preparation Sequence
    00400612SQSpecimenPreparationStepContentItemSequence|Specimen Preparation Step Content Item Sequence
    00400620SQSpecimenLocalizationContentItemSequence|Specimen Localization Content Item Sequence
    004006FALOSlideIdentifier|Slide Identifier
    00400710SQWholeSlideMicroscopyImageFrameTypeSequence|Whole Slide Microscopy Image Frame Type Sequence
    0040071ASQImageCenterPointCoordinatesSequence|Image Center Point Coordinates Sequence
    0040072ADSXOffsetInSlideCoordinateSystem|X Offset in Slide Coordinate System
    0040073ADSYOffsetInSlideCoordinateSystem|Y Offset in Slide Coordinate System
    0040074ADSZOffsetInSlideCoordinateSystem|Z Offset in Slide Coordinate System
    004008D8SQPixelSpacingSequence|Pixel Spacing Sequence
    004008DASQCoordinateSystemAxisCodeSequence|Coordinate System Axis Code Sequence
    004008EASQMeasurementUnitsCodeSequence|Measurement Units Code Sequence
    004009F8SQVitalStainCodeSequenceTrial|Vital Stain Code Sequence (Trial)
    00401001SHRequestedProcedureID|Requested Procedure ID
    00401002LOReasonForTheRequestedProcedure|Reason for the Requested Procedure
    00401003SHRequestedProcedurePriority|Requested Procedure Priority
    00401004LOPatientTransportArrangements|Patient Transport Arrangements
    00401005LORequestedProcedureLocation|Requested Procedure Location
    00401006SHPlacerOrderNumberProcedure|Placer Order Number / Procedure
    00401007SHFillerOrderNumberProcedure|Filler Order Number / Procedure
    00401008LOConfidentialityCode|Confidentiality Code
    00401009SHReportingPriority|Reporting Priority
    0040100ASQReasonForRequestedProcedureCodeSequence|Reason for Requested Procedure Code Sequence
    00401010PNNamesOfIntendedRecipientsOfResults|Names of Intended Recipients of Results
    00401011SQIntendedRecipientsOfResultsIdentificationSequence|Intended Recipients of Results Identification Sequence
    00401012SQReasonForPerformedProcedureCodeSequence|Reason For Performed Procedure Code Sequence
    00401060LORequestedProcedureDescriptionTrial|Requested Procedure Description (Trial)
    00401101SQPersonIdentificationCodeSequence|Person Identification Code Sequence
    00401102STPersonAddress|Person's Address
    00401103LOPersonTelephoneNumbers|Person's Telephone Numbers
    00401104LTPersonTelecomInformation|Person's Telecom Information
    00401400LTRequestedProcedureComments|Requested Procedure Comments
    00402001LOReasonForTheImagingServiceRequest|Reason for the Imaging Service Request
    00402004DAIssueDateOfImagingServiceRequest|Issue Date of Imaging Service Request
    00402005TMIssueTimeOfImagingServiceRequest|Issue Time of Imaging Service Request
    00402006SHPlacerOrderNumberImagingServiceRequestRetired|Placer Order Number / Imaging Service Request (Retired)
    00402007SHFillerOrderNumberImagingServiceRequestRetired|Filler Order Number / Imaging Service Request (Retired)
    00402008PNOrderEnteredBy|Order Entered By
    00402009SHOrderEntererLocation|Order Enterer's Location
    00402010SHOrderCallbackPhoneNumber|Order Callback Phone Number
    00402011LTOrderCallbackTelecomInformation|Order Callback Telecom Information
    00402016LOPlacerOrderNumberImagingServiceRequest|Placer Order Number / Imaging Service Request
    00402017LOFillerOrderNumberImagingServiceRequest|Filler Order Number / Imaging Service Request
    00402400LTImagingServiceRequestComments|Imaging Service Request Comments
    00403001LOConfidentialityConstraintOnPatientDataDescription|Confidentiality Constraint on Patient Data Description
    00404001CSGeneralPurposeScheduledProcedureStepStatus|General Purpose Scheduled Procedure Step Status
    00404002CSGeneralPurposePerformedProcedureStepStatus|General Purpose Performed Procedure Step Status
    00404003CSGeneralPurposeScheduledProcedureStepPriority|General Purpose Scheduled Procedure Step Priority
    00404004SQScheduledProcessingApplicationsCodeSequence|Scheduled Processing Applications Code Sequence
    00404005DTScheduledProcedureStepStartDateTime|Scheduled Procedure Step Start DateTime
    00404006CSMultipleCopiesFlag|Multiple Copies Flag
    00404007SQPerformedProcessingApplicationsCodeSequence|Performed Processing Applications Code Sequence
    00404008DTScheduledProcedureStepExpirationDateTime|Scheduled Procedure Step Expiration DateTime
    00404009SQHumanPerformerCodeSequence|Human Performer Code Sequence
    00404010DTScheduledProcedureStepModificationDateTime|Scheduled Procedure Step Modification DateTime
    00404011DTExpectedCompletionDateTime|Expected Completion DateTime
    00404015SQResultingGeneralPurposePerformedProcedureStepsSequence|Resulting General Purpose Performed Procedure Steps Sequence
    00404016SQReferencedGeneralPurposeScheduledProcedureStepSequence|Referenced General Purpose Scheduled Procedure Step Sequence
    00404018SQScheduledWorkitemCodeSequence|Scheduled Workitem Code Sequence
    00404019SQPerformedWorkitemCodeSequence|Performed Workitem Code Sequence
    00404020CSInputAvailabilityFlag|Input Availability Flag
    00404021SQInputInformationSequence|Input Information Sequence
    00404022SQRelevantInformationSequence|Relevant Information Sequence
    00404023UIReferencedGeneralPurposeScheduledProcedureStepTransactionUID|Referenced General Purpose Scheduled Procedure Step Transaction UID
    00404025SQScheduledStationNameCodeSequence|Scheduled Station Name Code Sequence
    00404026SQScheduledStationClassCodeSequence|Scheduled Station Class Code Sequence
    00404027SQScheduledStationGeographicLocationCodeSequence|Scheduled Station Geographic Location Code Sequence
    00404028SQPerformedStationNameCodeSequence|Performed Station Name Code Sequence
    00404029SQPerformedStationClassCodeSequence|Performed Station Class Code Sequence
    00404030SQPerformedStationGeographicLocationCodeSequence|Performed Station Geographic Location Code Sequence
    00404031SQRequestedSubsequentWorkitemCodeSequence|Requested Subsequent Workitem Code Sequence
    00404032SQNonDICOMOutputCodeSequence|Non-DICOM Output Code Sequence
    00404033SQOutputInformationSequence|Output Information Sequence
    00404034SQScheduledHumanPerformersSequence|Scheduled Human Performers Sequence
    00404035SQActualHumanPerformersSequence|Actual Human Performers Sequence
    00404036LOHumanPerformerOrganization|Human Performer's Organization
    00404037PNHumanPerformerName|Human Performer's Name
    00404040CSRawDataHandling|Raw Data Handling
    00404041CSInputReadinessState|Input Readiness State
    00404050DTPerformedProcedureStepStartDateTime|Performed Procedure Step Start DateTime
    00404051DTPerformedProcedureStepEndDateTime|Performed Procedure Step End DateTime
    00404052DTProcedureStepCancellationDateTime|Procedure Step Cancellation DateTime
    00404070SQOutputDestinationSequence|Output Destination Sequence
    00404071SQDICOMStorageSequence|DICOM Storage Sequence
    00404072SQSTOWRSStorageSequence|STOW-RS Storage Sequence
    00404073URStorageURL|Storage URL
    00404074SQXDSStorageSequence|XDS Storage Sequence
    00408302DSEntranceDoseInmGy|Entrance Dose in mGy
    00408303CSEntranceDoseDerivation|Entrance Dose Derivation
    00409092SQParametricMapFrameTypeSequence|Parametric Map Frame Type Sequence
    00409094SQReferencedImageRealWorldValueMappingSequence|Referenced Image Real World Value Mapping Sequence
    00409096SQRealWorldValueMappingSequence|Real World Value Mapping Sequence
    00409098SQPixelValueMappingCodeSequence|Pixel Value Mapping Code Sequence
    00409210SHLUTLabel|LUT Label
    00409211USRealWorldValueLastValueMapped|Real World Value Last Value Mapped
    00409212FDRealWorldValueLUTData|Real World Value LUT Data
    00409213FDDoubleFloatRealWorldValueLastValueMapped|Double Float Real World Value Last Value Mapped
    00409214FDDoubleFloatRealWorldValueFirstValueMapped|Double Float Real World Value First Value Mapped
    00409216USRealWorldValueFirstValueMapped|Real World Value First Value Mapped
    00409220SQQuantityDefinitionSequence|Quantity Definition Sequence
    00409224FDRealWorldValueIntercept|Real World Value Intercept
    00409225FDRealWorldValueSlope|Real World Value Slope
    0040A007CSFindingsFlagTrial|Findings Flag (Trial)
    0040A010CSRelationshipType|Relationship Type
    0040A020SQFindingsSequenceTrial|Findings Sequence (Trial)
    0040A021UIFindingsGroupUIDTrial|Findings Group UID (Trial)
    0040A022UIReferencedFindingsGroupUIDTrial|Referenced Findings Group UID (Trial)
    0040A023DAFindingsGroupRecordingDateTrial|Findings Group Recording Date (Trial)
    0040A024TMFindingsGroupRecordingTimeTrial|Findings Group Recording Time (Trial)
    0040A026SQFindingsSourceCategoryCodeSequenceTrial|Findings Source Category Code Sequence (Trial)
    0040A027LOVerifyingOrganization|Verifying Organization
    0040A028SQDocumentingOrganizationIdentifierCodeSequenceTrial|Documenting Organization Identifier Code Sequence (Trial)
    0040A030DTVerificationDateTime|Verification DateTime
    0040A032DTObservationDateTime|Observation DateTime
    0040A033DTObservationStartDateTime|Observation Start DateTime
    0040A040CSValueType|Value Type
    0040A043SQConceptNameCodeSequence|Concept Name Code Sequence
    0040A047LOMeasurementPrecisionDescriptionTrial|Measurement Precision Description (Trial)
    0040A050CSContinuityOfContent|Continuity Of Content
    0040A057CSUrgencyOrPriorityAlertsTrial|Urgency or Priority Alerts (Trial)
    0040A060LOSequencingIndicatorTrial|Sequencing Indicator (Trial)
    0040A066SQDocumentIdentifierCodeSequenceTrial|Document Identifier Code Sequence (Trial)
    0040A067PNDocumentAuthorTrial|Document Author (Trial)
    0040A068SQDocumentAuthorIdentifierCodeSequenceTrial|Document Author Identifier Code Sequence (Trial)
    0040A070SQIdentifierCodeSequenceTrial|Identifier Code Sequence (Trial)
    0040A073SQVerifyingObserverSequence|Verifying Observer Sequence
    0040A074OBObjectBinaryIdentifierTrial|Object Binary Identifier (Trial)
    0040A075PNVerifyingObserverName|Verifying Observer Name
    0040A076SQDocumentingObserverIdentifierCodeSequenceTrial|Documenting Observer Identifier Code Sequence (Trial)
    0040A078SQAuthorObserverSequence|Author Observer Sequence
    0040A07ASQParticipantSequence|Participant Sequence
    0040A07CSQCustodialOrganizationSequence|Custodial Organization Sequence
    0040A080CSParticipationType|Participation Type
    0040A082DTParticipationDateTime|Participation DateTime
    0040A084CSObserverType|Observer Type
    0040A085SQProcedureIdentifierCodeSequenceTrial|Procedure Identifier Code Sequence (Trial)
    0040A088SQVerifyingObserverIdentificationCodeSequence|Verifying Observer Identification Code Sequence
    0040A089OBObjectDirectoryBinaryIdentifierTrial|Object Directory Binary Identifier (Trial)
    0040A090SQEquivalentCDADocumentSequence|Equivalent CDA Document Sequence
    0040A0B0USReferencedWaveformChannels|Referenced Waveform Channels
    0040A110DADateOfDocumentOrVerbalTransactionTrial|Date of Document or Verbal Transaction (Trial)
    0040A112TMTimeOfDocumentCreationOrVerbalTransactionTrial|Time of Document Creation or Verbal Transaction (Trial)
    0040A120DTDateTime|DateTime
    0040A121DADate|Date
    0040A122TMTime|Time
    0040A123PNPersonName|Person Name
    0040A124UIUID|UID
    0040A125CSReportStatusIDTrial|Report Status ID (Trial)
    0040A130CSTemporalRangeType|Temporal Range Type
    0040A132ULReferencedSamplePositions|Referenced Sample Positions
    0040A136USReferencedFrameNumbers|Referenced Frame Numbers
    0040A138DSReferencedTimeOffsets|Referenced Time Offsets
    0040A13ADTReferencedDateTime|Referenced DateTime
    0040A160UTTextValue|Text Value
    0040A161FDFloatingPointValue|Floating Point Value
    0040A162SLRationalNumeratorValue|Rational Numerator Value
    0040A163ULRationalDenominatorValue|Rational Denominator Value
    0040A167SQObservationCategoryCodeSequenceTrial|Observation Category Code Sequence (Trial)
    0040A168SQConceptCodeSequence|Concept Code Sequence
    0040A16ASTBibliographicCitationTrial|Bibliographic Citation (Trial)
    0040A170SQPurposeOfReferenceCodeSequence|Purpose of Reference Code Sequence
    0040A171UIObservationUID|Observation UID
    0040A172UIReferencedObservationUIDTrial|Referenced Observation UID (Trial)
    0040A173CSReferencedObservationClassTrial|Referenced Observation Class (Trial)
    0040A174CSReferencedObjectObservationClassTrial|Referenced Object Observation Class (Trial)
    0040A180USAnnotationGroupNumber|Annotation Group Number
    0040A192DAObservationDateTrial|Observation Date (Trial)
    0040A193TMObservationTimeTrial|Observation Time (Trial)
    0040A194CSMeasurementAutomationTrial|Measurement Automation (Trial)
    0040A195SQModifierCodeSequence|Modifier Code Sequence
    0040A224STIdentificationDescriptionTrial|Identification Description (Trial)
    0040A290CSCoordinatesSetGeometricTypeTrial|Coordinates Set Geometric Type (Trial)
    0040A296SQAlgorithmCodeSequenceTrial|Algorithm Code Sequence (Trial)
    0040A297STAlgorithmDescriptionTrial|Algorithm Description (Trial)
    0040A29ASLPixelCoordinatesSetTrial|Pixel Coordinates Set (Trial)
    0040A300SQMeasuredValueSequence|Measured Value Sequence
    0040A301SQNumericValueQualifierCodeSequence|Numeric Value Qualifier Code Sequence
    0040A307PNCurrentObserverTrial|Current Observer (Trial)
    0040A30ADSNumericValue|Numeric Value
    0040A313SQReferencedAccessionSequenceTrial|Referenced Accession Sequence (Trial)
    0040A33ASTReportStatusCommentTrial|Report Status Comment (Trial)
    0040A340SQProcedureContextSequenceTrial|Procedure Context Sequence (Trial)
    0040A352PNVerbalSourceTrial|Verbal Source (Trial)
    0040A353STAddressTrial|Address (Trial)
    0040A354LOTelephoneNumberTrial|Telephone Number (Trial)
    0040A358SQVerbalSourceIdentifierCodeSequenceTrial|Verbal Source Identifier Code Sequence (Trial)
    0040A360SQPredecessorDocumentsSequence|Predecessor Documents Sequence
    0040A370SQReferencedRequestSequence|Referenced Request Sequence
    0040A372SQPerformedProcedureCodeSequence|Performed Procedure Code Sequence
    0040A375SQCurrentRequestedProcedureEvidenceSequence|Current Requested Procedure Evidence Sequence
    0040A380SQReportDetailSequenceTrial|Report Detail Sequence (Trial)
    0040A385SQPertinentOtherEvidenceSequence|Pertinent Other Evidence Sequence
    0040A390SQHL7StructuredDocumentReferenceSequence|HL7 Structured Document Reference Sequence
    0040A402UIObservationSubjectUIDTrial|Observation Subject UID (Trial)
    0040A403CSObservationSubjectClassTrial|Observation Subject Class (Trial)
    0040A404SQObservationSubjectTypeCodeSequenceTrial|Observation Subject Type Code Sequence (Trial)
    0040A491CSCompletionFlag|Completion Flag
    0040A492LOCompletionFlagDescription|Completion Flag Description
    0040A493CSVerificationFlag|Verification Flag
    0040A494CSArchiveRequested|Archive Requested
    0040A496CSPreliminaryFlag|Preliminary Flag
    0040A504SQContentTemplateSequence|Content Template Sequence
    0040A525SQIdenticalDocumentsSequence|Identical Documents Sequence
    0040A600CSObservationSubjectContextFlagTrial|Observation Subject Context Flag (Trial)
    0040A601CSObserverContextFlagTrial|Observer Context Flag (Trial)
    0040A603CSProcedureContextFlagTrial|Procedure Context Flag (Trial)
    0040A730SQContentSequence|Content Sequence
    0040A731SQRelationshipSequenceTrial|Relationship Sequence (Trial)
    0040A732SQRelationshipTypeCodeSequenceTrial|Relationship Type Code Sequence (Trial)
    0040A744SQLanguageCodeSequenceTrial|Language Code Sequence (Trial)
    0040A801SQTabulatedValuesSequence|Tabulated Values Sequence
    0040A802ULNumberOfTableRows|Number of Table Rows
    0040A803ULNumberOfTableColumns|Number of Table Columns
    0040A804ULTableRowNumber|Table Row Number
    0040A805ULTableColumnNumber|Table Column Number
    0040A806SQTableRowDefinitionSequence|Table Row Definition Sequence
    0040A807SQTableColumnDefinitionSequence|Table Column Definition Sequence
    0040A808SQCellValuesSequence|Cell Values Sequence
    0040A992STUniformResourceLocatorTrial|Uniform Resource Locator (Trial)
    0040B020SQWaveformAnnotationSequence|Waveform Annotation Sequence
    0040DB00CSTemplateIdentifier|Template Identifier
    0040DB06DTTemplateVersion|Template Version
    0040DB07DTTemplateLocalVersion|Template Local Version
    0040DB0BCSTemplateExtensionFlag|Template Extension Flag
    0040DB0CUITemplateExtensionOrganizationUID|Template Extension Organization UID
    0040DB0DUITemplateExtensionCreatorUID|Template Extension Creator UID
    0040DB73ULReferencedContentItemIdentifier|Referenced Content Item Identifier
    0040E001STHL7InstanceIdentifier|HL7 Instance Identifier
    0040E004DTHL7DocumentEffectiveTime|HL7 Document Effective Time
    0040E006SQHL7DocumentTypeCodeSequence|HL7 Document Type Code Sequence
    0040E008SQDocumentClassCodeSequence|Document Class Code Sequence
    0040E010URRetrieveURI|Retrieve URI
    0040E011UIRetrieveLocationUID|Retrieve Location UID
    0040E020CSTypeOfInstances|Type of Instances
    0040E021SQDICOMRetrievalSequence|DICOM InstanceRetrieval Sequence
    0040E022SQDICOMMediaRetrievalSequence|DICOM Media InstanceRetrieval Sequence
    0040E023SQWADORetrievalSequence|WADO InstanceRetrieval Sequence
    0040E024SQXDSRetrievalSequence|XDS InstanceRetrieval Sequence
    0040E025SQWADORSRetrievalSequence|WADO-RS InstanceRetrieval Sequence
    0040E030UIRepositoryUniqueID|Repository Unique ID
    0040E031UIHomeCommunityID|Home Community ID
    00420010STDocumentTitle|Document Title
    00420011OBEncapsulatedDocument|Encapsulated Document
    00420012LOMIMETypeOfEncapsulatedDocument|MIME Type of Encapsulated Document
    00420013SQSourceInstanceSequence|Source Instance Sequence
    00420014LOListOfMIMETypes|List of MIME Types
    00420015ULEncapsulatedDocumentLength|Encapsulated Document Length
    00440001STProductPackageIdentifier|Product Package Identifier
    00440002CSSubstanceAdministrationApproval|Substance Administration Approval
    00440003LTApprovalStatusFurtherDescription|Approval Status Further Description
    00440004DTApprovalStatusDateTime|Approval Status DateTime
    00440007SQProductTypeCodeSequence|Product Type Code Sequence
    00440008LOProductName|Product Name
    00440009LTProductDescription|Product Description
    0044000ALOProductLotIdentifier|Product Lot Identifier
    0044000BDTProductExpirationDateTime|Product Expiration DateTime
    00440010DTSubstanceAdministrationDateTime|Substance Administration DateTime
    00440011LOSubstanceAdministrationNotes|Substance Administration Notes
    00440012LOSubstanceAdministrationDeviceID|Substance Administration Device ID
    00440013SQProductParameterSequence|Product Parameter Sequence
    00440019SQSubstanceAdministrationParameterSequence|Substance Administration Parameter Sequence
    00440100SQApprovalSequence|Approval Sequence
    00440101SQAssertionCodeSequence|Assertion Code Sequence
    00440102UIAssertionUID|Assertion UID
    00440103SQAsserterIdentificationSequence|Asserter Identification Sequence
    00440104DTAssertionDateTime|Assertion DateTime
    00440105DTAssertionExpirationDateTime|Assertion Expiration DateTime
    00440106UTAssertionComments|Assertion Comments
    00440107SQRelatedAssertionSequence|Related Assertion Sequence
    00440108UIReferencedAssertionUID|Referenced Assertion UID
    00440109SQApprovalSubjectSequence|Approval Subject Sequence
    0044010ASQOrganizationalRoleCodeSequence|Organizational Role Code Sequence
    00460012LOLensDescription|Lens Description
    00460014SQRightLensSequence|Right Lens Sequence
    00460015SQLeftLensSequence|Left Lens Sequence
    00460016SQUnspecifiedLateralityLensSequence|Unspecified Laterality Lens Sequence
    00460018SQCylinderSequence|Cylinder Sequence
    00460028SQPrismSequence|Prism Sequence
    00460030FDHorizontalPrismPower|Horizontal Prism Power
    00460032CSHorizontalPrismBase|Horizontal Prism Base
    00460034FDVerticalPrismPower|Vertical Prism Power
    00460036CSVerticalPrismBase|Vertical Prism Base
    00460038CSLensSegmentType|Lens Segment Type
    00460040FDOpticalTransmittance|Optical Transmittance
    00460042FDChannelWidth|Channel Width
    00460044FDPupilSize|Pupil Size
    00460046FDCornealSize|Corneal Size
    00460047SQCornealSizeSequence|Corneal Size Sequence
    00460050SQAutorefractionRightEyeSequence|Autorefraction Right Eye Sequence
    00460052SQAutorefractionLeftEyeSequence|Autorefraction Left Eye Sequence
    00460060FDDistancePupillaryDistance|Distance Pupillary Distance
    00460062FDNearPupillaryDistance|Near Pupillary Distance
    00460063FDIntermediatePupillaryDistance|Intermediate Pupillary Distance
    00460064FDOtherPupillaryDistance|Other Pupillary Distance
    00460070SQKeratometryRightEyeSequence|Keratometry Right Eye Sequence
    00460071SQKeratometryLeftEyeSequence|Keratometry Left Eye Sequence
    00460074SQSteepKeratometricAxisSequence|Steep Keratometric Axis Sequence
    00460075FDRadiusOfCurvature|Radius of Curvature
    00460076FDKeratometricPower|Keratometric Power
    00460077FDKeratometricAxis|Keratometric Axis
    00460080SQFlatKeratometricAxisSequence|Flat Keratometric Axis Sequence
    00460092CSBackgroundColor|Background Color
    00460094CSOptotype|Optotype
    00460095CSOptotypePresentation|Optotype Presentation
    00460097SQSubjectiveRefractionRightEyeSequence|Subjective Refraction Right Eye Sequence
    00460098SQSubjectiveRefractionLeftEyeSequence|Subjective Refraction Left Eye Sequence
    00460100SQAddNearSequence|Add Near Sequence
    00460101SQAddIntermediateSequence|Add Intermediate Sequence
    00460102SQAddOtherSequence|Add Other Sequence
    00460104FDAddPower|Add Power
    00460106FDViewingDistance|Viewing Distance
    00460110SQCorneaMeasurementsSequence|Cornea Measurements Sequence
    00460111SQSourceOfCorneaMeasurementDataCodeSequence|Source of Cornea Measurement Data Code Sequence
    00460112SQSteepCornealAxisSequence|Steep Corneal Axis Sequence
    00460113SQFlatCornealAxisSequence|Flat Corneal Axis Sequence
    00460114FDCornealPower|Corneal Power
    00460115FDCornealAxis|Corneal Axis
    00460116SQCorneaMeasurementMethodCodeSequence|Cornea Measurement Method Code Sequence
    00460117FLRefractiveIndexOfCornea|Refractive Index of Cornea
    00460118FLRefractiveIndexOfAqueousHumor|Refractive Index of Aqueous Humor
    00460121SQVisualAcuityTypeCodeSequence|Visual Acuity Type Code Sequence
    00460122SQVisualAcuityRightEyeSequence|Visual Acuity Right Eye Sequence
    00460123SQVisualAcuityLeftEyeSequence|Visual Acuity Left Eye Sequence
    00460124SQVisualAcuityBothEyesOpenSequence|Visual Acuity Both Eyes Open Sequence
    00460125CSViewingDistanceType|Viewing Distance Type
    00460135SSVisualAcuityModifiers|Visual Acuity Modifiers
    00460137FDDecimalVisualAcuity|Decimal Visual Acuity
    00460139LOOptotypeDetailedDefinition|Optotype Detailed Definition
    00460145SQReferencedRefractiveMeasurementsSequence|Referenced Refractive Measurements Sequence
    00460146FDSpherePower|Sphere Power
    00460147FDCylinderPower|Cylinder Power
    00460201CSCornealTopographySurface|Corneal Topography Surface
    00460202FLCornealVertexLocation|Corneal Vertex Location
    00460203FLPupilCentroidXCoordinate|Pupil Centroid X-Coordinate
    00460204FLPupilCentroidYCoordinate|Pupil Centroid Y-Coordinate
    00460205FLEquivalentPupilRadius|Equivalent Pupil Radius
    00460207SQCornealTopographyMapTypeCodeSequence|Corneal Topography Map Type Code Sequence
    00460208ISVerticesOfTheOutlineOfPupil|Vertices of the Outline of Pupil
    00460210SQCornealTopographyMappingNormalsSequence|Corneal Topography Mapping Normals Sequence
    00460211SQMaximumCornealCurvatureSequence|Maximum Corneal Curvature Sequence
    00460212FLMaximumCornealCurvature|Maximum Corneal Curvature
    00460213FLMaximumCornealCurvatureLocation|Maximum Corneal Curvature Location
    00460215SQMinimumKeratometricSequence|Minimum Keratometric Sequence
    00460218SQSimulatedKeratometricCylinderSequence|Simulated Keratometric Cylinder Sequence
    00460220FLAverageCornealPower|Average Corneal Power
    00460224FLCornealISValue|Corneal I-S Value
    00460227FLAnalyzedArea|Analyzed Area
    00460230FLSurfaceRegularityIndex|Surface Regularity Index
    00460232FLSurfaceAsymmetryIndex|Surface Asymmetry Index
    00460234FLCornealEccentricityIndex|Corneal Eccentricity Index
    00460236FLKeratoconusPredictionIndex|Keratoconus Prediction Index
    00460238FLDecimalPotentialVisualAcuity|Decimal Potential Visual Acuity
    00460242CSCornealTopographyMapQualityEvaluation|Corneal Topography Map Quality Evaluation
    00460244SQSourceImageCornealProcessedDataSequence|Source Image Corneal Processed Data Sequence
    00460247FLCornealPointLocation|Corneal Point Location
    00460248CSCornealPointEstimated|Corneal Point Estimated
    00460249FLAxialPower|Axial Power
    00460250FLTangentialPower|Tangential Power
    00460251FLRefractivePower|Refractive Power
    00460252FLRelativeElevation|Relative Elevation
    00460253FLCornealWavefront|Corneal Wavefront
    00480001FLImagedVolumeWidth|Imaged Volume Width
    00480002FLImagedVolumeHeight|Imaged Volume Height
    00480003FLImagedVolumeDepth|Imaged Volume Depth
    00480006ULTotalPixelMatrixColumns|Total Pixel Matrix Columns
    00480007ULTotalPixelMatrixRows|Total Pixel Matrix Rows
    00480008SQTotalPixelMatrixOriginSequence|Total Pixel Matrix Origin Sequence
    00480010CSSpecimenLabelInImage|Specimen Label in Image
    00480011CSFocusMethod|Focus Method
    00480012CSExtendedDepthOfField|Extended Depth of Field
    00480013USNumberOfFocalPlanes|Number of Focal Planes
    00480014FLDistanceBetweenFocalPlanes|Distance Between Focal Planes
    00480015USRecommendedAbsentPixelCIELabValue|Recommended Absent Pixel CIELab Value
    00480100SQIlluminatorTypeCodeSequence|Illuminator Type Code Sequence
    00480102DSImageOrientationSlide|Image Orientation (Slide)
    00480105SQOpticalPathSequence|Optical Path Sequence
    00480106SHOpticalPathIdentifier|Optical Path Identifier
    00480107STOpticalPathDescription|Optical Path Description
    00480108SQIlluminationColorCodeSequence|Illumination Color Code Sequence
    00480110SQSpecimenReferenceSequence|Specimen Reference Sequence
    00480111DSCondenserLensPower|Condenser Lens Power
    00480112DSObjectiveLensPower|Objective Lens Power
    00480113DSObjectiveLensNumericalAperture|Objective Lens Numerical Aperture
    00480114CSConfocalMode|Confocal Mode
    00480115CSTissueLocation|Tissue Location
    00480116SQConfocalMicroscopyImageFrameTypeSequence|Confocal Microscopy Image Frame Type Sequence
    00480117FDImageAcquisitionDepth|Image Acquisition Depth
    00480120SQPaletteColorLookupTableSequence|Palette Color Lookup Table Sequence
    00480200SQReferencedImageNavigationSequence|Referenced Image Navigation Sequence
    00480201USTopLeftHandCornerOfLocalizerArea|Top Left Hand Corner of Localizer Area
    00480202USBottomRightHandCornerOfLocalizerArea|Bottom Right Hand Corner of Localizer Area
    00480207SQOpticalPathIdentificationSequence|Optical Path Identification Sequence
    0048021ASQPlanePositionSlideSequence|Plane Position (Slide) Sequence
    0048021ESLColumnPositionInTotalImagePixelMatrix|Column Position In Total Image Pixel Matrix
    0048021FSLRowPositionInTotalImagePixelMatrix|Row Position In Total Image Pixel Matrix
    00480301CSPixelOriginInterpretation|Pixel Origin Interpretation
    00480302ULNumberOfOpticalPaths|Number of Optical Paths
    00480303ULTotalPixelMatrixFocalPlanes|Total Pixel Matrix Focal Planes
    00500004CSCalibrationImage|Calibration Image
    00500010SQDeviceSequence|Device Sequence
    00500012SQContainerComponentTypeCodeSequence|Container Component Type Code Sequence
    00500013FDContainerComponentThickness|Container Component Thickness
    00500014DSDeviceLength|Device Length
    00500015FDContainerComponentWidth|Container Component Width
    00500016DSDeviceDiameter|Device Diameter
    00500017CSDeviceDiameterUnits|Device Diameter Units
    00500018DSDeviceVolume|Device Volume
    00500019DSInterMarkerDistance|Inter-Marker Distance
    0050001ACSContainerComponentMaterial|Container Component Material
    0050001BLOContainerComponentID|Container Component ID
    0050001CFDContainerComponentLength|Container Component Length
    0050001DFDContainerComponentDiameter|Container Component Diameter
    0050001ELOContainerComponentDescription|Container Component Description
    00500020LODeviceDescription|Device Description
    00500021STLongDeviceDescription|Long Device Description
    00520001FLContrastBolusIngredientPercentByVolume|Contrast/Bolus Ingredient Percent by Volume
    00520002FDOCTFocalDistance|OCT Focal Distance
    00520003FDBeamSpotSize|Beam Spot Size
    00520004FDEffectiveRefractiveIndex|Effective Refractive Index
    00520006CSOCTAcquisitionDomain|OCT Acquisition Domain
    00520007FDOCTOpticalCenterWavelength|OCT Optical Center Wavelength
    00520008FDAxialResolution|Axial Resolution
    00520009FDRangingDepth|Ranging Depth
    00520011FDALineRate|A-line Rate
    00520012USALinesPerFrame|A-lines Per Frame
    00520013FDCatheterRotationalRate|Catheter Rotational Rate
    00520014FDALinePixelSpacing|A-line Pixel Spacing
    00520016SQModeOfPercutaneousAccessSequence|Mode of Percutaneous Access Sequence
    00520025SQIntravascularOCTFrameTypeSequence|Intravascular OCT Frame Type Sequence
    00520026CSOCTZOffsetApplied|OCT Z Offset Applied
    00520027SQIntravascularFrameContentSequence|Intravascular Frame Content Sequence
    00520028FDIntravascularLongitudinalDistance|Intravascular Longitudinal Distance
    00520029SQIntravascularOCTFrameContentSequence|Intravascular OCT Frame Content Sequence
    00520030SSOCTZOffsetCorrection|OCT Z Offset Correction
    00520031CSCatheterDirectionOfRotation|Catheter Direction of Rotation
    00520033FDSeamLineLocation|Seam Line Location
    00520034FDFirstALineLocation|First A-line Location
    00520036USSeamLineIndex|Seam Line Index
    00520038USNumberOfPaddedALines|Number of Padded A-lines
    00520039CSInterpolationType|Interpolation Type
    0052003ACSRefractiveIndexApplied|Refractive Index Applied
    00540010USEnergyWindowVector|Energy Window Vector
    00540011USNumberOfEnergyWindows|Number of Energy Windows
    00540012SQEnergyWindowInformationSequence|Energy Window Information Sequence
    00540013SQEnergyWindowRangeSequence|Energy Window Range Sequence
    00540014DSEnergyWindowLowerLimit|Energy Window Lower Limit
    00540015DSEnergyWindowUpperLimit|Energy Window Upper Limit
    00540016SQRadiopharmaceuticalInformationSequence|Radiopharmaceutical Information Sequence
    00540017ISResidualSyringeCounts|Residual Syringe Counts
    00540018SHEnergyWindowName|Energy Window Name
    00540020USDetectorVector|Detector Vector
    00540021USNumberOfDetectors|Number of Detectors
    00540022SQDetectorInformationSequence|Detector Information Sequence
    00540030USPhaseVector|Phase Vector
    00540031USNumberOfPhases|Number of Phases
    00540032SQPhaseInformationSequence|Phase Information Sequence
    00540033USNumberOfFramesInPhase|Number of Frames in Phase
    00540036ISPhaseDelay|Phase Delay
    00540038ISPauseBetweenFrames|Pause Between Frames
    00540039CSPhaseDescription|Phase Description
    00540050USRotationVector|Rotation Vector
    00540051USNumberOfRotations|Number of Rotations
    00540052SQRotationInformationSequence|Rotation Information Sequence
    00540053USNumberOfFramesInRotation|Number of Frames in Rotation
    00540060USRRIntervalVector|R-R Interval Vector
    00540061USNumberOfRRIntervals|Number of R-R Intervals
    00540062SQGatedInformationSequence|Gated Information Sequence
    00540063SQDataInformationSequence|Data Information Sequence
    00540070USTimeSlotVector|Time Slot Vector
    00540071USNumberOfTimeSlots|Number of Time Slots
    00540072SQTimeSlotInformationSequence|Time Slot Information Sequence
    00540073DSTimeSlotTime|Time Slot Time
    00540080USSliceVector|Slice Vector
    00540081USNumberOfSlices|Number of Slices
    00540090USAngularViewVector|Angular View Vector
    00540100USTimeSliceVector|Time Slice Vector
    00540101USNumberOfTimeSlices|Number of Time Slices
    00540200DSStartAngle|Start Angle
    00540202CSTypeOfDetectorMotion|Type of Detector Motion
    00540210ISTriggerVector|Trigger Vector
    00540211USNumberOfTriggersInPhase|Number of Triggers in Phase
    00540220SQViewCodeSequence|View Code Sequence
    00540222SQViewModifierCodeSequence|View Modifier Code Sequence
    00540300SQRadionuclideCodeSequence|Radionuclide Code Sequence
    00540302SQAdministrationRouteCodeSequence|Administration Route Code Sequence
    00540304SQRadiopharmaceuticalCodeSequence|Radiopharmaceutical Code Sequence
    00540306SQCalibrationDataSequence|Calibration Data Sequence
    00540308USEnergyWindowNumber|Energy Window Number
    00540400SHImageID|Image ID
    00540410SQPatientOrientationCodeSequence|Patient Orientation Code Sequence
    00540412SQPatientOrientationModifierCodeSequence|Patient Orientation Modifier Code Sequence
    00540414SQPatientGantryRelationshipCodeSequence|Patient Gantry Relationship Code Sequence
    00540500CSSliceProgressionDirection|Slice Progression Direction
    00540501CSScanProgressionDirection|Scan Progression Direction
    00541000CSSeriesType|Series Type
    00541001CSUnits|Units
    00541002CSCountsSource|Counts Source
    00541004CSReprojectionMethod|Reprojection Method
    00541006CSSUVType|SUV Type
    00541100CSRandomsCorrectionMethod|Randoms Correction Method
    00541101LOAttenuationCorrectionMethod|Attenuation Correction Method
    00541102CSDecayCorrection|Decay Correction
    00541103LOReconstructionMethod|Reconstruction Method
    00541104LODetectorLinesOfResponseUsed|Detector Lines of Response Used
    00541105LOScatterCorrectionMethod|Scatter Correction Method
    00541200DSAxialAcceptance|Axial Acceptance
    00541201ISAxialMash|Axial Mash
    00541202ISTransverseMash|Transverse Mash
    00541203DSDetectorElementSize|Detector Element Size
    00541210DSCoincidenceWindowWidth|Coincidence Window Width
    00541220CSSecondaryCountsType|Secondary Counts Type
    00541300DSFrameReferenceTime|Frame Reference Time
    00541310ISPrimaryPromptsCountsAccumulated|Primary (Prompts) Counts Accumulated
    00541311ISSecondaryCountsAccumulated|Secondary Counts Accumulated
    00541320DSSliceSensitivityFactor|Slice Sensitivity Factor
    00541321DSDecayFactor|Decay Factor
    00541322DSDoseCalibrationFactor|Dose Calibration Factor
    00541323DSScatterFractionFactor|Scatter Fraction Factor
    00541324DSDeadTimeFactor|Dead Time Factor
    00541330USImageIndex|Image Index
    00541400CSCountsIncluded|Counts Included
    00541401CSDeadTimeCorrectionFlag|Dead Time Correction Flag
    00603000SQHistogramSequence|Histogram Sequence
    00603002USHistogramNumberOfBins|Histogram Number of Bins
    00603004USHistogramFirstBinValue|Histogram First Bin Value
    00603006USHistogramLastBinValue|Histogram Last Bin Value
    00603008USHistogramBinWidth|Histogram Bin Width
    00603010LOHistogramExplanation|Histogram Explanation
    00603020ULHistogramData|Histogram Data
    00620001CSSegmentationType|Segmentation Type
    00620002SQSegmentSequence|Segment Sequence
    00620003SQSegmentedPropertyCategoryCodeSequence|Segmented Property Category Code Sequence
    00620004USSegmentNumber|Segment Number
    00620005LOSegmentLabel|Segment Label
    00620006STSegmentDescription|Segment Description
    00620007SQSegmentationAlgorithmIdentificationSequence|Segmentation Algorithm Identification Sequence
    00620008CSSegmentAlgorithmType|Segment Algorithm Type
    00620009LOSegmentAlgorithmName|Segment Algorithm Name
    0062000ASQSegmentIdentificationSequence|Segment Identification Sequence
    0062000BUSReferencedSegmentNumber|Referenced Segment Number
    0062000CUSRecommendedDisplayGrayscaleValue|Recommended Display Grayscale Value
    0062000DUSRecommendedDisplayCIELabValue|Recommended Display CIELab Value
    0062000EUSMaximumFractionalValue|Maximum Fractional Value
    0062000FSQSegmentedPropertyTypeCodeSequence|Segmented Property Type Code Sequence
    00620010CSSegmentationFractionalType|Segmentation Fractional Type
    00620011SQSegmentedPropertyTypeModifierCodeSequence|Segmented Property Type Modifier Code Sequence
    00620012SQUsedSegmentsSequence|Used Segments Sequence
    00620013CSSegmentsOverlap|Segments Overlap
    00620020UTTrackingID|Tracking ID
    00620021UITrackingUID|Tracking UID
    00640002SQDeformableRegistrationSequence|Deformable Registration Sequence
    00640003UISourceFrameOfReferenceUID|Source Frame of Reference UID
    00640005SQDeformableRegistrationGridSequence|Deformable Registration Grid Sequence
    00640007ULGridDimensions|Grid Dimensions
    00640008FDGridResolution|Grid Resolution
    00640009OFVectorGridData|Vector Grid Data
    0064000FSQPreDeformationMatrixRegistrationSequence|Pre Deformation Matrix Registration Sequence
    00640010SQPostDeformationMatrixRegistrationSequence|Post Deformation Matrix Registration Sequence
    00660001ULNumberOfSurfaces|Number of Surfaces
    00660002SQSurfaceSequence|Surface Sequence
    00660003ULSurfaceNumber|Surface Number
    00660004LTSurfaceComments|Surface Comments
    00660009CSSurfaceProcessing|Surface Processing
    0066000AFLSurfaceProcessingRatio|Surface Processing Ratio
    0066000BLOSurfaceProcessingDescription|Surface Processing Description
    0066000CFLRecommendedPresentationOpacity|Recommended Presentation Opacity
    0066000DCSRecommendedPresentationType|Recommended Presentation Type
    0066000ECSFiniteVolume|Finite Volume
    00660010CSManifold|Manifold
    00660011SQSurfacePointsSequence|Surface Points Sequence
    00660012SQSurfacePointsNormalsSequence|Surface Points Normals Sequence
    00660013SQSurfaceMeshPrimitivesSequence|Surface Mesh Primitives Sequence
    00660015ULNumberOfSurfacePoints|Number of Surface Points
    00660016OFPointCoordinatesData|Point Coordinates Data
    00660017FLPointPositionAccuracy|Point Position Accuracy
    00660018FLMeanPointDistance|Mean Point Distance
    00660019FLMaximumPointDistance|Maximum Point Distance
    0066001AFLPointsBoundingBoxCoordinates|Points Bounding Box Coordinates
    0066001BFLAxisOfRotation|Axis of Rotation
    0066001CFLCenterOfRotation|Center of Rotation
    0066001EULNumberOfVectors|Number of Vectors
    0066001FUSVectorDimensionality|Vector Dimensionality
    00660020FLVectorAccuracy|Vector Accuracy
    00660021OFVectorCoordinateData|Vector Coordinate Data
    00660022ODDoublePointCoordinatesData|Double Point Coordinates Data
    00660023OWTrianglePointIndexList|Triangle Point Index List
    00660024OWEdgePointIndexList|Edge Point Index List
    00660025OWVertexPointIndexList|Vertex Point Index List
    00660026SQTriangleStripSequence|Triangle Strip Sequence
    00660027SQTriangleFanSequence|Triangle Fan Sequence
    00660028SQLineSequence|Line Sequence
    00660029OWPrimitivePointIndexList|Primitive Point Index List
    0066002AULSurfaceCount|Surface Count
    0066002BSQReferencedSurfaceSequence|Referenced Surface Sequence
    0066002CULReferencedSurfaceNumber|Referenced Surface Number
    0066002DSQSegmentSurfaceGenerationAlgorithmIdentificationSequence|Segment Surface Generation Algorithm Identification Sequence
    0066002ESQSegmentSurfaceSourceInstanceSequence|Segment Surface Source Instance Sequence
    0066002FSQAlgorithmFamilyCodeSequence|Algorithm Family Code Sequence
    00660030SQAlgorithmNameCodeSequence|Algorithm Name Code Sequence
    00660031LOAlgorithmVersion|Algorithm Version
    00660032LTAlgorithmParameters|Algorithm Parameters
    00660034SQFacetSequence|Facet Sequence
    00660035SQSurfaceProcessingAlgorithmIdentificationSequence|Surface Processing Algorithm Identification Sequence
    00660036LOAlgorithmName|Algorithm Name
    00660037FLRecommendedPointRadius|Recommended Point Radius
    00660038FLRecommendedLineThickness|Recommended Line Thickness
    00660040OLLongPrimitivePointIndexList|Long Primitive Point Index List
    00660041OLLongTrianglePointIndexList|Long Triangle Point Index List
    00660042OLLongEdgePointIndexList|Long Edge Point Index List
    00660043OLLongVertexPointIndexList|Long Vertex Point Index List
    00660101SQTrackSetSequence|Track Set Sequence
    00660102SQTrackSequence|Track Sequence
    00660103OWRecommendedDisplayCIELabValueList|Recommended Display CIELab Value List
    00660104SQTrackingAlgorithmIdentificationSequence|Tracking Algorithm Identification Sequence
    00660105ULTrackSetNumber|Track Set Number
    00660106LOTrackSetLabel|Track Set Label
    00660107UTTrackSetDescription|Track Set Description
    00660108SQTrackSetAnatomicalTypeCodeSequence|Track Set Anatomical Type Code Sequence
    00660121SQMeasurementsSequence|Measurements Sequence
    00660124SQTrackSetStatisticsSequence|Track Set Statistics Sequence
    00660125OFFloatingPointValues|Floating Point Values
    00660129OLTrackPointIndexList|Track Point Index List
    00660130SQTrackStatisticsSequence|Track Statistics Sequence
    00660132SQMeasurementValuesSequence|Measurement Values Sequence
    00660133SQDiffusionAcquisitionCodeSequence|Diffusion Acquisition Code Sequence
    00660134SQDiffusionModelCodeSequence|Diffusion Model Code Sequence
    00686210LOImplantSize|Implant Size
    00686221LOImplantTemplateVersion|Implant Template Version
    00686222SQReplacedImplantTemplateSequence|Replaced Implant Template Sequence
    00686223CSImplantType|Implant Type
    00686224SQDerivationImplantTemplateSequence|Derivation Implant Template Sequence
    00686225SQOriginalImplantTemplateSequence|Original Implant Template Sequence
    00686226DTEffectiveDateTime|Effective DateTime
    00686230SQImplantTargetAnatomySequence|Implant Target Anatomy Sequence
    00686260SQInformationFromManufacturerSequence|Information From Manufacturer Sequence
    00686265SQNotificationFromManufacturerSequence|Notification From Manufacturer Sequence
    00686270DTInformationIssueDateTime|Information Issue DateTime
    00686280STInformationSummary|Information Summary
    006862A0SQImplantRegulatoryDisapprovalCodeSequence|Implant Regulatory Disapproval Code Sequence
    006862A5FDOverallTemplateSpatialTolerance|Overall Template Spatial Tolerance
    006862C0SQHPGLDocumentSequence|HPGL Document Sequence
    006862D0USHPGLDocumentID|HPGL Document ID
    006862D5LOHPGLDocumentLabel|HPGL Document Label
    006862E0SQViewOrientationCodeSequence|View Orientation Code Sequence
    006862F0SQViewOrientationModifierCodeSequence|View Orientation Modifier Code Sequence
    006862F2FDHPGLDocumentScaling|HPGL Document Scaling
    00686300OBHPGLDocument|HPGL Document
    00686310USHPGLContourPenNumber|HPGL Contour Pen Number
    00686320SQHPGLPenSequence|HPGL Pen Sequence
    00686330USHPGLPenNumber|HPGL Pen Number
    00686340LOHPGLPenLabel|HPGL Pen Label
    00686345STHPGLPenDescription|HPGL Pen Description
    00686346FDRecommendedRotationPoint|Recommended Rotation Point
    00686347FDBoundingRectangle|Bounding Rectangle
    00686350USImplantTemplate3DModelSurfaceNumber|Implant Template 3D Model Surface Number
    00686360SQSurfaceModelDescriptionSequence|Surface Model Description Sequence
    00686380LOSurfaceModelLabel|Surface Model Label
    00686390FDSurfaceModelScalingFactor|Surface Model Scaling Factor
    006863A0SQMaterialsCodeSequence|Materials Code Sequence
    006863A4SQCoatingMaterialsCodeSequence|Coating Materials Code Sequence
    006863A8SQImplantTypeCodeSequence|Implant Type Code Sequence
    006863ACSQFixationMethodCodeSequence|Fixation Method Code Sequence
    006863B0SQMatingFeatureSetsSequence|Mating Feature Sets Sequence
    006863C0USMatingFeatureSetID|Mating Feature Set ID
    006863D0LOMatingFeatureSetLabel|Mating Feature Set Label
    006863E0SQMatingFeatureSequence|Mating Feature Sequence
    006863F0USMatingFeatureID|Mating Feature ID
    00686400SQMatingFeatureDegreeOfFreedomSequence|Mating Feature Degree of Freedom Sequence
    00686410USDegreeOfFreedomID|Degree of Freedom ID
    00686420CSDegreeOfFreedomType|Degree of Freedom Type
    00686430SQTwoDMatingFeatureCoordinatesSequence|2D Mating Feature Coordinates Sequence
    00686440USReferencedHPGLDocumentID|Referenced HPGL Document ID
    00686450FDTwoDMatingPoint|2D Mating Point
    00686460FDTwoDMatingAxes|2D Mating Axes
    00686470SQTwoDDegreeOfFreedomSequence|2D Degree of Freedom Sequence
    00686490FDThreeDDegreeOfFreedomAxis|3D Degree of Freedom Axis
    006864A0FDRangeOfFreedom|Range of Freedom
    006864C0FDThreeDMatingPoint|3D Mating Point
    006864D0FDThreeDMatingAxes|3D Mating Axes
    006864F0FDTwoDDegreeOfFreedomAxis|2D Degree of Freedom Axis
    00686500SQPlanningLandmarkPointSequence|Planning Landmark Point Sequence
    00686510SQPlanningLandmarkLineSequence|Planning Landmark Line Sequence
    00686520SQPlanningLandmarkPlaneSequence|Planning Landmark Plane Sequence
    00686530USPlanningLandmarkID|Planning Landmark ID
    00686540LOPlanningLandmarkDescription|Planning Landmark Description
    00686545SQPlanningLandmarkIdentificationCodeSequence|Planning Landmark Identification Code Sequence
    00686550SQTwoDPointCoordinatesSequence|2D Point Coordinates Sequence
    00686560FDTwoDPointCoordinates|2D Point Coordinates
    00686590FDThreeDPointCoordinates|3D Point Coordinates
    006865A0SQTwoDLineCoordinatesSequence|2D Line Coordinates Sequence
    006865B0FDTwoDLineCoordinates|2D Line Coordinates
    006865D0FDThreeDLineCoordinates|3D Line Coordinates
    006865E0SQTwoDPlaneCoordinatesSequence|2D Plane Coordinates Sequence
    006865F0FDTwoDPlaneIntersection|2D Plane Intersection
    00686610FDThreeDPlaneOrigin|3D Plane Origin
    00686620FDThreeDPlaneNormal|3D Plane Normal
    00687001CSModelModification|Model Modification
    00687002CSModelMirroring|Model Mirroring
    00687003SQModelUsageCodeSequence|Model Usage Code Sequence
    00687004UIModelGroupUID|Model Group UID
    00687005URRelativeURIReferenceWithinEncapsulatedDocument|Relative URI Reference Within Encapsulated Document
    006A0001CSAnnotationCoordinateType|Annotation Coordinate Type
    006A0002SQAnnotationGroupSequence|Annotation Group Sequence
    006A0003UIAnnotationGroupUID|Annotation Group UID
    006A0005LOAnnotationGroupLabel|Annotation Group Label
    006A0006UTAnnotationGroupDescription|Annotation Group Description
    006A0007CSAnnotationGroupGenerationType|Annotation Group Generation Type
    006A0008SQAnnotationGroupAlgorithmIdentificationSequence|Annotation Group Algorithm Identification Sequence
    006A0009SQAnnotationPropertyCategoryCodeSequence|Annotation Property Category Code Sequence
    006A000ASQAnnotationPropertyTypeCodeSequence|Annotation Property Type Code Sequence
    006A000BSQAnnotationPropertyTypeModifierCodeSequence|Annotation Property Type Modifier Code Sequence
    006A000CULNumberOfAnnotations|Number of Annotations
    006A000DCSAnnotationAppliesToAllOpticalPaths|Annotation Applies to All Optical Paths
    006A000ESHReferencedOpticalPathIdentifier|Referenced Optical Path Identifier
    006A000FCSAnnotationAppliesToAllZPlanes|Annotation Applies to All Z Planes
    006A0010FDCommonZCoordinateValue|Common Z Coordinate Value
    006A0011OLAnnotationIndexList|Annotation Index List
    00700001SQGraphicAnnotationSequence|Graphic Annotation Sequence
    00700002CSGraphicLayer|Graphic Layer
    00700003CSBoundingBoxAnnotationUnits|Bounding Box Annotation Units
    00700004CSAnchorPointAnnotationUnits|Anchor Point Annotation Units
    00700005CSGraphicAnnotationUnits|Graphic Annotation Units
    00700006STUnformattedTextValue|Unformatted Text Value
    00700008SQTextObjectSequence|Text Object Sequence
    00700009SQGraphicObjectSequence|Graphic Object Sequence
    00700010FLBoundingBoxTopLeftHandCorner|Bounding Box Top Left Hand Corner
    00700011FLBoundingBoxBottomRightHandCorner|Bounding Box Bottom Right Hand Corner
    00700012CSBoundingBoxTextHorizontalJustification|Bounding Box Text Horizontal Justification
    00700014FLAnchorPoint|Anchor Point
    00700015CSAnchorPointVisibility|Anchor Point Visibility
    00700020USGraphicDimensions|Graphic Dimensions
    00700021USNumberOfGraphicPoints|Number of Graphic Points
    00700022FLGraphicData|Graphic Data
    00700023CSGraphicType|Graphic Type
    00700024CSGraphicFilled|Graphic Filled
    00700040ISImageRotationRetired|Image Rotation (Retired)
    00700041CSImageHorizontalFlip|Image Horizontal Flip
    00700042USImageRotation|Image Rotation
    00700050USDisplayedAreaTopLeftHandCornerTrial|Displayed Area Top Left Hand Corner (Trial)
    00700051USDisplayedAreaBottomRightHandCornerTrial|Displayed Area Bottom Right Hand Corner (Trial)
    00700052SLDisplayedAreaTopLeftHandCorner|Displayed Area Top Left Hand Corner
    00700053SLDisplayedAreaBottomRightHandCorner|Displayed Area Bottom Right Hand Corner
    0070005ASQDisplayedAreaSelectionSequence|Displayed Area Selection Sequence
    00700060SQGraphicLayerSequence|Graphic Layer Sequence
    00700062ISGraphicLayerOrder|Graphic Layer Order
    00700066USGraphicLayerRecommendedDisplayGrayscaleValue|Graphic Layer Recommended Display Grayscale Value
    00700067USGraphicLayerRecommendedDisplayRGBValue|Graphic Layer Recommended Display RGB Value
    00700068LOGraphicLayerDescription|Graphic Layer Description
    00700080CSContentLabel|Content Label
    00700081LOContentDescription|Content Description
    00700082DAPresentationCreationDate|Presentation Creation Date
    00700083TMPresentationCreationTime|Presentation Creation Time
    00700084PNContentCreatorName|Content Creator's Name
    00700086SQContentCreatorIdentificationCodeSequence|Content Creator's Identification Code Sequence
    00700087SQAlternateContentDescriptionSequence|Alternate Content Description Sequence
    00700100CSPresentationSizeMode|Presentation Size Mode
    00700101DSPresentationPixelSpacing|Presentation Pixel Spacing
    00700102ISPresentationPixelAspectRatio|Presentation Pixel Aspect Ratio
    00700103FLPresentationPixelMagnificationRatio|Presentation Pixel Magnification Ratio
    00700207LOGraphicGroupLabel|Graphic Group Label
    00700208STGraphicGroupDescription|Graphic Group Description
    00700209SQCompoundGraphicSequence|Compound Graphic Sequence
    00700226ULCompoundGraphicInstanceID|Compound Graphic Instance ID
    00700227LOFontName|Font Name
    00700228CSFontNameType|Font Name Type
    00700229LOCSSFontName|CSS Font Name
    00700230FDRotationAngle|Rotation Angle
    00700231SQTextStyleSequence|Text Style Sequence
    00700232SQLineStyleSequence|Line Style Sequence
    00700233SQFillStyleSequence|Fill Style Sequence
    00700234SQGraphicGroupSequence|Graphic Group Sequence
    00700241USTextColorCIELabValue|Text Color CIELab Value
    00700242CSHorizontalAlignment|Horizontal Alignment
    00700243CSVerticalAlignment|Vertical Alignment
    00700244CSShadowStyle|Shadow Style
    00700245FLShadowOffsetX|Shadow Offset X
    00700246FLShadowOffsetY|Shadow Offset Y
    00700247USShadowColorCIELabValue|Shadow Color CIELab Value
    00700248CSUnderlined|Underlined
    00700249CSBold|Bold
    00700250CSItalic|Italic
    00700251USPatternOnColorCIELabValue|Pattern On Color CIELab Value
    00700252USPatternOffColorCIELabValue|Pattern Off Color CIELab Value
    00700253FLLineThickness|Line Thickness
    00700254CSLineDashingStyle|Line Dashing Style
    00700255ULLinePattern|Line Pattern
    00700256OBFillPattern|Fill Pattern
    00700257CSFillMode|Fill Mode
    00700258FLShadowOpacity|Shadow Opacity
    00700261FLGapLength|Gap Length
    00700262FLDiameterOfVisibility|Diameter of Visibility
    00700273FLRotationPoint|Rotation Point
    00700274CSTickAlignment|Tick Alignment
    00700278CSShowTickLabel|Show Tick Label
    00700279CSTickLabelAlignment|Tick Label Alignment
    00700282CSCompoundGraphicUnits|Compound Graphic Units
    00700284FLPatternOnOpacity|Pattern On Opacity
    00700285FLPatternOffOpacity|Pattern Off Opacity
    00700287SQMajorTicksSequence|Major Ticks Sequence
    00700288FLTickPosition|Tick Position
    00700289SHTickLabel|Tick Label
    00700294CSCompoundGraphicType|Compound Graphic Type
    00700295ULGraphicGroupID|Graphic Group ID
    00700306CSShapeType|Shape Type
    00700308SQRegistrationSequence|Registration Sequence
    00700309SQMatrixRegistrationSequence|Matrix Registration Sequence
    0070030ASQMatrixSequence|Matrix Sequence
    0070030BFDFrameOfReferenceToDisplayedCoordinateSystemTransformationMatrix|Frame of Reference to Displayed Coordinate System Transformation Matrix
    0070030CCSFrameOfReferenceTransformationMatrixType|Frame of Reference Transformation Matrix Type
    0070030DSQRegistrationTypeCodeSequence|Registration Type Code Sequence
    0070030FSTFiducialDescription|Fiducial Description
    00700310SHFiducialIdentifier|Fiducial Identifier
    00700311SQFiducialIdentifierCodeSequence|Fiducial Identifier Code Sequence
    00700312FDContourUncertaintyRadius|Contour Uncertainty Radius
    00700314SQUsedFiducialsSequence|Used Fiducials Sequence
    00700315SQUsedRTStructureSetROISequence|Used RT Structure Set ROI Sequence
    00700318SQGraphicCoordinatesDataSequence|Graphic Coordinates Data Sequence
    0070031AUIFiducialUID|Fiducial UID
    0070031BUIReferencedFiducialUID|Referenced Fiducial UID
    0070031CSQFiducialSetSequence|Fiducial Set Sequence
    0070031ESQFiducialSequence|Fiducial Sequence
    0070031FSQFiducialsPropertyCategoryCodeSequence|Fiducials Property Category Code Sequence
    00700401USGraphicLayerRecommendedDisplayCIELabValue|Graphic Layer Recommended Display CIELab Value
    00700402SQBlendingSequence|Blending Sequence
    00700403FLRelativeOpacity|Relative Opacity
    00700404SQReferencedSpatialRegistrationSequence|Referenced Spatial Registration Sequence
    00700405CSBlendingPosition|Blending Position
    00701101UIPresentationDisplayCollectionUID|Presentation Display Collection UID
    00701102UIPresentationSequenceCollectionUID|Presentation Sequence Collection UID
    00701103USPresentationSequencePositionIndex|Presentation Sequence Position Index
    00701104SQRenderedImageReferenceSequence|Rendered Image Reference Sequence
    00701201SQVolumetricPresentationStateInputSequence|Volumetric Presentation State Input Sequence
    00701202CSPresentationInputType|Presentation Input Type
    00701203USInputSequencePositionIndex|Input Sequence Position Index
    00701204CSCrop|Crop
    00701205USCroppingSpecificationIndex|Cropping Specification Index
    00701206CSCompositingMethod|Compositing Method
    00701207USVolumetricPresentationInputNumber|Volumetric Presentation Input Number
    00701208CSImageVolumeGeometry|Image Volume Geometry
    00701209UIVolumetricPresentationInputSetUID|Volumetric Presentation Input Set UID
    0070120ASQVolumetricPresentationInputSetSequence|Volumetric Presentation Input Set Sequence
    0070120BCSGlobalCrop|Global Crop
    0070120CUSGlobalCroppingSpecificationIndex|Global Cropping Specification Index
    0070120DCSRenderingMethod|Rendering Method
    00701301SQVolumeCroppingSequence|Volume Cropping Sequence
    00701302CSVolumeCroppingMethod|Volume Cropping Method
    00701303FDBoundingBoxCrop|Bounding Box Crop
    00701304SQObliqueCroppingPlaneSequence|Oblique Cropping Plane Sequence
    00701305FDPlane|Plane
    00701306FDPlaneNormal|Plane Normal
    00701309USCroppingSpecificationNumber|Cropping Specification Number
    00701501CSMultiPlanarReconstructionStyle|Multi-Planar Reconstruction Style
    00701502CSMPRThicknessType|MPR Thickness Type
    00701503FDMPRSlabThickness|MPR Slab Thickness
    00701505FDMPRTopLeftHandCorner|MPR Top Left Hand Corner
    00701507FDMPRViewWidthDirection|MPR View Width Direction
    00701508FDMPRViewWidth|MPR View Width
    0070150CULNumberOfVolumetricCurvePoints|Number of Volumetric Curve Points
    0070150DODVolumetricCurvePoints|Volumetric Curve Points
    00701511FDMPRViewHeightDirection|MPR View Height Direction
    00701512FDMPRViewHeight|MPR View Height
    00701602CSRenderProjection|Render Projection
    00701603FDViewpointPosition|Viewpoint Position
    00701604FDViewpointLookAtPoint|Viewpoint LookAt Point
    00701605FDViewpointUpDirection|Viewpoint Up Direction
    00701606FDRenderFieldOfView|Render Field of View
    00701607FDSamplingStepSize|Sampling Step Size
    00701701CSShadingStyle|Shading Style
    00701702FDAmbientReflectionIntensity|Ambient Reflection Intensity
    00701703FDLightDirection|Light Direction
    00701704FDDiffuseReflectionIntensity|Diffuse Reflection Intensity
    00701705FDSpecularReflectionIntensity|Specular Reflection Intensity
    00701706FDShininess|Shininess
    00701801SQPresentationStateClassificationComponentSequence|Presentation State Classification Component Sequence
    00701802CSComponentType|Component Type
    00701803SQComponentInputSequence|Component Input Sequence
    00701804USVolumetricPresentationInputIndex|Volumetric Presentation Input Index
    00701805SQPresentationStateCompositorComponentSequence|Presentation State Compositor Component Sequence
    00701806SQWeightingTransferFunctionSequence|Weighting Transfer Function Sequence
    00701807USWeightingLookupTableDescriptor|Weighting Lookup Table Descriptor
    00701808OBWeightingLookupTableData|Weighting Lookup Table Data
    00701901SQVolumetricAnnotationSequence|Volumetric Annotation Sequence
    00701903SQReferencedStructuredContextSequence|Referenced Structured Context Sequence
    00701904UIReferencedContentItem|Referenced Content Item
    00701905SQVolumetricPresentationInputAnnotationSequence|Volumetric Presentation Input Annotation Sequence
    00701907CSAnnotationClipping|Annotation Clipping
    00701A01CSPresentationAnimationStyle|Presentation Animation Style
    00701A03FDRecommendedAnimationRate|Recommended Animation Rate
    00701A04SQAnimationCurveSequence|Animation Curve Sequence
    00701A05FDAnimationStepSize|Animation Step Size
    00701A06FDSwivelRange|Swivel Range
    00701A07ODVolumetricCurveUpDirections|Volumetric Curve Up Directions
    00701A08SQVolumeStreamSequence|Volume Stream Sequence
    00701A09LORGBATransferFunctionDescription|RGBA Transfer Function Description
    00701B01SQAdvancedBlendingSequence|Advanced Blending Sequence
    00701B02USBlendingInputNumber|Blending Input Number
    00701B03SQBlendingDisplayInputSequence|Blending Display Input Sequence
    00701B04SQBlendingDisplaySequence|Blending Display Sequence
    00701B06CSBlendingMode|Blending Mode
    00701B07CSTimeSeriesBlending|Time Series Blending
    00701B08CSGeometryForDisplay|Geometry for Display
    00701B11SQThresholdSequence|Threshold Sequence
    00701B12SQThresholdValueSequence|Threshold Value Sequence
    00701B13CSThresholdType|Threshold Type
    00701B14FDThresholdValue|Threshold Value
    00720002SHHangingProtocolName|Hanging Protocol Name
    00720004LOHangingProtocolDescription|Hanging Protocol Description
    00720006CSHangingProtocolLevel|Hanging Protocol Level
    00720008LOHangingProtocolCreator|Hanging Protocol Creator
    0072000ADTHangingProtocolCreationDateTime|Hanging Protocol Creation DateTime
    0072000CSQHangingProtocolDefinitionSequence|Hanging Protocol Definition Sequence
    0072000ESQHangingProtocolUserIdentificationCodeSequence|Hanging Protocol User Identification Code Sequence
    00720010LOHangingProtocolUserGroupName|Hanging Protocol User Group Name
    00720012SQSourceHangingProtocolSequence|Source Hanging Protocol Sequence
    00720014USNumberOfPriorsReferenced|Number of Priors Referenced
    00720020SQImageSetsSequence|Image Sets Sequence
    00720022SQImageSetSelectorSequence|Image Set Selector Sequence
    00720024CSImageSetSelectorUsageFlag|Image Set Selector Usage Flag
    00720026ATSelectorAttribute|Selector Attribute
    00720028USSelectorValueNumber|Selector Value Number
    00720030SQTimeBasedImageSetsSequence|Time Based Image Sets Sequence
    00720032USImageSetNumber|Image Set Number
    00720034CSImageSetSelectorCategory|Image Set Selector Category
    00720038USRelativeTime|Relative Time
    0072003ACSRelativeTimeUnits|Relative Time Units
    0072003CSSAbstractPriorValue|Abstract Prior Value
    0072003ESQAbstractPriorCodeSequence|Abstract Prior Code Sequence
    00720040LOImageSetLabel|Image Set Label
    00720050CSSelectorAttributeVR|Selector Attribute VR
    00720052ATSelectorSequencePointer|Selector Sequence Pointer
    00720054LOSelectorSequencePointerPrivateCreator|Selector Sequence Pointer Private Creator
    00720056LOSelectorAttributePrivateCreator|Selector Attribute Private Creator
    0072005EAESelectorAEValue|Selector AE Value
    0072005FASSelectorASValue|Selector AS Value
    00720060ATSelectorATValue|Selector AT Value
    00720061DASelectorDAValue|Selector DA Value
    00720062CSSelectorCSValue|Selector CS Value
    00720063DTSelectorDTValue|Selector DT Value
    00720064ISSelectorISValue|Selector IS Value
    00720065OBSelectorOBValue|Selector OB Value
    00720066LOSelectorLOValue|Selector LO Value
    00720067OFSelectorOFValue|Selector OF Value
    00720068LTSelectorLTValue|Selector LT Value
    00720069OWSelectorOWValue|Selector OW Value
    0072006APNSelectorPNValue|Selector PN Value
    0072006BTMSelectorTMValue|Selector TM Value
    0072006CSHSelectorSHValue|Selector SH Value
    0072006DUNSelectorUNValue|Selector UN Value
    0072006ESTSelectorSTValue|Selector ST Value
    0072006FUCSelectorUCValue|Selector UC Value
    00720070UTSelectorUTValue|Selector UT Value
    00720071URSelectorURValue|Selector UR Value
    00720072DSSelectorDSValue|Selector DS Value
    00720073ODSelectorODValue|Selector OD Value
    00720074FDSelectorFDValue|Selector FD Value
    00720075OLSelectorOLValue|Selector OL Value
    00720076FLSelectorFLValue|Selector FL Value
    00720078ULSelectorULValue|Selector UL Value
    0072007AUSSelectorUSValue|Selector US Value
    0072007CSLSelectorSLValue|Selector SL Value
    0072007ESSSelectorSSValue|Selector SS Value
    0072007FUISelectorUIValue|Selector UI Value
    00720080SQSelectorCodeSequenceValue|Selector Code Sequence Value
    00720081OVSelectorOVValue|Selector OV Value
    00720082SVSelectorSVValue|Selector SV Value
    00720083UVSelectorUVValue|Selector UV Value
    00720100USNumberOfScreens|Number of Screens
    00720102SQNominalScreenDefinitionSequence|Nominal Screen Definition Sequence
    00720104USNumberOfVerticalPixels|Number of Vertical Pixels
    00720106USNumberOfHorizontalPixels|Number of Horizontal Pixels
    00720108FDDisplayEnvironmentSpatialPosition|Display Environment Spatial Position
    0072010AUSScreenMinimumGrayscaleBitDepth|Screen Minimum Grayscale Bit Depth
    0072010CUSScreenMinimumColorBitDepth|Screen Minimum Color Bit Depth
    0072010EUSApplicationMaximumRepaintTime|Application Maximum Repaint Time
    00720200SQDisplaySetsSequence|Display Sets Sequence
    00720202USDisplaySetNumber|Display Set Number
    00720203LODisplaySetLabel|Display Set Label
    00720204USDisplaySetPresentationGroup|Display Set Presentation Group
    00720206LODisplaySetPresentationGroupDescription|Display Set Presentation Group Description
    00720208CSPartialDataDisplayHandling|Partial Data Display Handling
    00720210SQSynchronizedScrollingSequence|Synchronized Scrolling Sequence
    00720212USDisplaySetScrollingGroup|Display Set Scrolling Group
    00720214SQNavigationIndicatorSequence|Navigation Indicator Sequence
    00720216USNavigationDisplaySet|Navigation Display Set
    00720218USReferenceDisplaySets|Reference Display Sets
    00720300SQImageBoxesSequence|Image Boxes Sequence
    00720302USImageBoxNumber|Image Box Number
    00720304CSImageBoxLayoutType|Image Box Layout Type
    00720306USImageBoxTileHorizontalDimension|Image Box Tile Horizontal Dimension
    00720308USImageBoxTileVerticalDimension|Image Box Tile Vertical Dimension
    00720310CSImageBoxScrollDirection|Image Box Scroll Direction
    00720312CSImageBoxSmallScrollType|Image Box Small Scroll Type
    00720314USImageBoxSmallScrollAmount|Image Box Small Scroll Amount
    00720316CSImageBoxLargeScrollType|Image Box Large Scroll Type
    00720318USImageBoxLargeScrollAmount|Image Box Large Scroll Amount
    00720320USImageBoxOverlapPriority|Image Box Overlap Priority
    00720330FDCineRelativeToRealTime|Cine Relative to Real-Time
    00720400SQFilterOperationsSequence|Filter Operations Sequence
    00720402CSFilterByCategory|Filter-by Category
    00720404CSFilterByAttributePresence|Filter-by Attribute Presence
    00720406CSFilterByOperator|Filter-by Operator
    00720420USStructuredDisplayBackgroundCIELabValue|Structured Display Background CIELab Value
    00720421USEmptyImageBoxCIELabValue|Empty Image Box CIELab Value
    00720422SQStructuredDisplayImageBoxSequence|Structured Display Image Box Sequence
    00720424SQStructuredDisplayTextBoxSequence|Structured Display Text Box Sequence
    00720427SQReferencedFirstFrameSequence|Referenced First Frame Sequence
    00720430SQImageBoxSynchronizationSequence|Image Box Synchronization Sequence
    00720432USSynchronizedImageBoxList|Synchronized Image Box List
    00720434CSTypeOfSynchronization|Type of Synchronization
    00720500CSBlendingOperationType|Blending Operation Type
    00720510CSReformattingOperationType|Reformatting Operation Type
    00720512FDReformattingThickness|Reformatting Thickness
    00720514FDReformattingInterval|Reformatting Interval
    00720516CSReformattingOperationInitialViewDirection|Reformatting Operation Initial View Direction
    00720520CSThreeDRenderingType|3D Rendering Type
    00720600SQSortingOperationsSequence|Sorting Operations Sequence
    00720602CSSortByCategory|Sort-by Category
    00720604CSSortingDirection|Sorting Direction
    00720700CSDisplaySetPatientOrientation|Display Set Patient Orientation
    00720702CSVOIType|VOI Type
    00720704CSPseudoColorType|Pseudo-Color Type
    00720705SQPseudoColorPaletteInstanceReferenceSequence|Pseudo-Color Palette Instance Reference Sequence
    00720706CSShowGrayscaleInverted|Show Grayscale Inverted
    00720710CSShowImageTrueSizeFlag|Show Image True Size Flag
    00720712CSShowGraphicAnnotationFlag|Show Graphic Annotation Flag
    00720714CSShowPatientDemographicsFlag|Show Patient Demographics Flag
    00720716CSShowAcquisitionTechniquesFlag|Show Acquisition Techniques Flag
    00720717CSDisplaySetHorizontalJustification|Display Set Horizontal Justification
    00720718CSDisplaySetVerticalJustification|Display Set Vertical Justification
    00740120FDContinuationStartMeterset|Continuation Start Meterset
    00740121FDContinuationEndMeterset|Continuation End Meterset
    00741000CSProcedureStepState|Procedure Step State
    00741002SQProcedureStepProgressInformationSequence|Procedure Step Progress Information Sequence
    00741004DSProcedureStepProgress|Procedure Step Progress
    00741006STProcedureStepProgressDescription|Procedure Step Progress Description
    00741007SQProcedureStepProgressParametersSequence|Procedure Step Progress Parameters Sequence
    00741008SQProcedureStepCommunicationsURISequence|Procedure Step Communications URI Sequence
    0074100AURContactURI|Contact URI
    0074100CLOContactDisplayName|Contact Display Name
    0074100ESQProcedureStepDiscontinuationReasonCodeSequence|Procedure Step Discontinuation Reason Code Sequence
    00741020SQBeamTaskSequence|Beam Task Sequence
    00741022CSBeamTaskType|Beam Task Type
    00741024ISBeamOrderIndexTrial|Beam Order Index (Trial)
    00741025CSAutosequenceFlag|Autosequence Flag
    00741026FDTableTopVerticalAdjustedPosition|Table Top Vertical Adjusted Position
    00741027FDTableTopLongitudinalAdjustedPosition|Table Top Longitudinal Adjusted Position
    00741028FDTableTopLateralAdjustedPosition|Table Top Lateral Adjusted Position
    0074102AFDPatientSupportAdjustedAngle|Patient Support Adjusted Angle
    0074102BFDTableTopEccentricAdjustedAngle|Table Top Eccentric Adjusted Angle
    0074102CFDTableTopPitchAdjustedAngle|Table Top Pitch Adjusted Angle
    0074102DFDTableTopRollAdjustedAngle|Table Top Roll Adjusted Angle
    00741030SQDeliveryVerificationImageSequence|Delivery Verification Image Sequence
    00741032CSVerificationImageTiming|Verification Image Timing
    00741034CSDoubleExposureFlag|Double Exposure Flag
    00741036CSDoubleExposureOrdering|Double Exposure Ordering
    00741038DSDoubleExposureMetersetTrial|Double Exposure Meterset (Trial)
    0074103ADSDoubleExposureFieldDeltaTrial|Double Exposure Field Delta (Trial)
    00741040SQRelatedReferenceRTImageSequence|Related Reference RT Image Sequence
    00741042SQGeneralMachineVerificationSequence|General Machine Verification Sequence
    00741044SQConventionalMachineVerificationSequence|Conventional Machine Verification Sequence
    00741046SQIonMachineVerificationSequence|Ion Machine Verification Sequence
    00741048SQFailedAttributesSequence|Failed Attributes Sequence
    0074104ASQOverriddenAttributesSequence|Overridden Attributes Sequence
    0074104CSQConventionalControlPointVerificationSequence|Conventional Control Point Verification Sequence
    0074104ESQIonControlPointVerificationSequence|Ion Control Point Verification Sequence
    00741050SQAttributeOccurrenceSequence|Attribute Occurrence Sequence
    00741052ATAttributeOccurrencePointer|Attribute Occurrence Pointer
    00741054ULAttributeItemSelector|Attribute Item Selector
    00741056LOAttributeOccurrencePrivateCreator|Attribute Occurrence Private Creator
    00741057ISSelectorSequencePointerItems|Selector Sequence Pointer Items
    00741200CSScheduledProcedureStepPriority|Scheduled Procedure Step Priority
    00741202LOWorklistLabel|Worklist Label
    00741204LOProcedureStepLabel|Procedure Step Label
    00741210SQScheduledProcessingParametersSequence|Scheduled Processing Parameters Sequence
    00741212SQPerformedProcessingParametersSequence|Performed Processing Parameters Sequence
    00741216SQUnifiedProcedureStepPerformedProcedureSequence|Unified Procedure Step Performed Procedure Sequence
    00741220SQRelatedProcedureStepSequence|Related Procedure Step Sequence
    00741222LOProcedureStepRelationshipType|Procedure Step Relationship Type
    00741224SQReplacedProcedureStepSequence|Replaced Procedure Step Sequence
    00741230LODeletionLock|Deletion Lock
    00741234AEReceivingAE|Receiving AE
    00741236AERequestingAE|Requesting AE
    00741238LTReasonForCancellation|Reason for Cancellation
    00741242CSSCPStatus|SCP Status
    00741244CSSubscriptionListStatus|Subscription List Status
    00741246CSUnifiedProcedureStepListStatus|Unified Procedure Step List Status
    00741324ULBeamOrderIndex|Beam Order Index
    00741338FDDoubleExposureMeterset|Double Exposure Meterset
    0074133AFDDoubleExposureFieldDelta|Double Exposure Field Delta
    00741401SQBrachyTaskSequence|Brachy Task Sequence
    00741402DSContinuationStartTotalReferenceAirKerma|Continuation Start Total Reference Air Kerma
    00741403DSContinuationEndTotalReferenceAirKerma|Continuation End Total Reference Air Kerma
    00741404ISContinuationPulseNumber|Continuation Pulse Number
    00741405SQChannelDeliveryOrderSequence|Channel Delivery Order Sequence
    00741406ISReferencedChannelNumber|Referenced Channel Number
    00741407DSStartCumulativeTimeWeight|Start Cumulative Time Weight
    00741408DSEndCumulativeTimeWeight|End Cumulative Time Weight
    00741409SQOmittedChannelSequence|Omitted Channel Sequence
    0074140ACSReasonForChannelOmission|Reason for Channel Omission
    0074140BLOReasonForChannelOmissionDescription|Reason for Channel Omission Description
    0074140CISChannelDeliveryOrderIndex|Channel Delivery Order Index
    0074140DSQChannelDeliveryContinuationSequence|Channel Delivery Continuation Sequence
    0074140ESQOmittedApplicationSetupSequence|Omitted Application Setup Sequence
    00760001LOImplantAssemblyTemplateName|Implant Assembly Template Name
    00760003LOImplantAssemblyTemplateIssuer|Implant Assembly Template Issuer
    00760006LOImplantAssemblyTemplateVersion|Implant Assembly Template Version
    00760008SQReplacedImplantAssemblyTemplateSequence|Replaced Implant Assembly Template Sequence
    0076000ACSImplantAssemblyTemplateType|Implant Assembly Template Type
    0076000CSQOriginalImplantAssemblyTemplateSequence|Original Implant Assembly Template Sequence
    0076000ESQDerivationImplantAssemblyTemplateSequence|Derivation Implant Assembly Template Sequence
    00760010SQImplantAssemblyTemplateTargetAnatomySequence|Implant Assembly Template Target Anatomy Sequence
    00760020SQProcedureTypeCodeSequence|Procedure Type Code Sequence
    00760030LOSurgicalTechnique|Surgical Technique
    00760032SQComponentTypesSequence|Component Types Sequence
    00760034SQComponentTypeCodeSequence|Component Type Code Sequence
    00760036CSExclusiveComponentType|Exclusive Component Type
    00760038CSMandatoryComponentType|Mandatory Component Type
    00760040SQComponentSequence|Component Sequence
    00760055USComponentID|Component ID
    00760060SQComponentAssemblySequence|Component Assembly Sequence
    00760070USComponent1ReferencedID|Component 1 Referenced ID
    00760080USComponent1ReferencedMatingFeatureSetID|Component 1 Referenced Mating Feature Set ID
    00760090USComponent1ReferencedMatingFeatureID|Component 1 Referenced Mating Feature ID
    007600A0USComponent2ReferencedID|Component 2 Referenced ID
    007600B0USComponent2ReferencedMatingFeatureSetID|Component 2 Referenced Mating Feature Set ID
    007600C0USComponent2ReferencedMatingFeatureID|Component 2 Referenced Mating Feature ID
    00780001LOImplantTemplateGroupName|Implant Template Group Name
    00780010STImplantTemplateGroupDescription|Implant Template Group Description
    00780020LOImplantTemplateGroupIssuer|Implant Template Group Issuer
    00780024LOImplantTemplateGroupVersion|Implant Template Group Version
    00780026SQReplacedImplantTemplateGroupSequence|Replaced Implant Template Group Sequence
    00780028SQImplantTemplateGroupTargetAnatomySequence|Implant Template Group Target Anatomy Sequence
    0078002ASQImplantTemplateGroupMembersSequence|Implant Template Group Members Sequence
    0078002EUSImplantTemplateGroupMemberID|Implant Template Group Member ID
    00780050FDThreeDImplantTemplateGroupMemberMatchingPoint|3D Implant Template Group Member Matching Point
    00780060FDThreeDImplantTemplateGroupMemberMatchingAxes|3D Implant Template Group Member Matching Axes
    00780070SQImplantTemplateGroupMemberMatching2DCoordinatesSequence|Implant Template Group Member Matching 2D Coordinates Sequence
    00780090FDTwoDImplantTemplateGroupMemberMatchingPoint|2D Implant Template Group Member Matching Point
    007800A0FDTwoDImplantTemplateGroupMemberMatchingAxes|2D Implant Template Group Member Matching Axes
    007800B0SQImplantTemplateGroupVariationDimensionSequence|Implant Template Group Variation Dimension Sequence
    007800B2LOImplantTemplateGroupVariationDimensionName|Implant Template Group Variation Dimension Name
    007800B4SQImplantTemplateGroupVariationDimensionRankSequence|Implant Template Group Variation Dimension Rank Sequence
    007800B6USReferencedImplantTemplateGroupMemberID|Referenced Implant Template Group Member ID
    007800B8USImplantTemplateGroupVariationDimensionRank|Implant Template Group Variation Dimension Rank
    00800001SQSurfaceScanAcquisitionTypeCodeSequence|Surface Scan Acquisition Type Code Sequence
    00800002SQSurfaceScanModeCodeSequence|Surface Scan Mode Code Sequence
    00800003SQRegistrationMethodCodeSequence|Registration Method Code Sequence
    00800004FDShotDurationTime|Shot Duration Time
    00800005FDShotOffsetTime|Shot Offset Time
    00800006USSurfacePointPresentationValueData|Surface Point Presentation Value Data
    00800007USSurfacePointColorCIELabValueData|Surface Point Color CIELab Value Data
    00800008SQUVMappingSequence|UV Mapping Sequence
    00800009SHTextureLabel|Texture Label
    00800010OFUValueData|U Value Data
    00800011OFVValueData|V Value Data
    00800012SQReferencedTextureSequence|Referenced Texture Sequence
    00800013SQReferencedSurfaceDataSequence|Referenced Surface Data Sequence
    00820001CSAssessmentSummary|Assessment Summary
    00820003UTAssessmentSummaryDescription|Assessment Summary Description
    00820004SQAssessedSOPInstanceSequence|Assessed SOP Instance Sequence
    00820005SQReferencedComparisonSOPInstanceSequence|Referenced Comparison SOP Instance Sequence
    00820006ULNumberOfAssessmentObservations|Number of Assessment Observations
    00820007SQAssessmentObservationsSequence|Assessment Observations Sequence
    00820008CSObservationSignificance|Observation Significance
    0082000AUTObservationDescription|Observation Description
    0082000CSQStructuredConstraintObservationSequence|Structured Constraint Observation Sequence
    00820010SQAssessedAttributeValueSequence|Assessed Attribute Value Sequence
    00820016LOAssessmentSetID|Assessment Set ID
    00820017SQAssessmentRequesterSequence|Assessment Requester Sequence
    00820018LOSelectorAttributeName|Selector Attribute Name
    00820019LOSelectorAttributeKeyword|Selector Attribute Keyword
    00820021SQAssessmentTypeCodeSequence|Assessment Type Code Sequence
    00820022SQObservationBasisCodeSequence|Observation Basis Code Sequence
    00820023LOAssessmentLabel|Assessment Label
    00820032CSConstraintType|Constraint Type
    00820033UTSpecificationSelectionGuidance|Specification Selection Guidance
    00820034SQConstraintValueSequence|Constraint Value Sequence
    00820035SQRecommendedDefaultValueSequence|Recommended Default Value Sequence
    00820036CSConstraintViolationSignificance|Constraint Violation Significance
    00820037UTConstraintViolationCondition|Constraint Violation Condition
    00820038CSModifiableConstraintFlag|Modifiable Constraint Flag
    00880130SHStorageMediaFileSetID|Storage Media File-set ID
    00880140UIStorageMediaFileSetUID|Storage Media File-set UID
    00880200SQIconImageSequence|Icon Image Sequence
    00880904LOTopicTitle|Topic Title
    00880906STTopicSubject|Topic Subject
    00880910LOTopicAuthor|Topic Author
    00880912LOTopicKeywords|Topic Keywords
    01000410CSSOPInstanceStatus|SOP Instance Status
    01000420DTSOPAuthorizationDateTime|SOP Authorization DateTime
    01000424LTSOPAuthorizationComment|SOP Authorization Comment
    01000426LOAuthorizationEquipmentCertificationNumber|Authorization Equipment Certification Number
    04000005USMACIDNumber|MAC ID Number
    04000010UIMACCalculationTransferSyntaxUID|MAC Calculation Transfer Syntax UID
    04000015CSMACAlgorithm|MAC Algorithm
    04000020ATDataElementsSigned|Data Elements Signed
    04000100UIDigitalSignatureUID|Digital Signature UID
    04000105DTDigitalSignatureDateTime|Digital Signature DateTime
    04000110CSCertificateType|Certificate Type
    04000115OBCertificateOfSigner|Certificate of Signer
    04000120OBSignature|Signature
    04000305CSCertifiedTimestampType|Certified Timestamp Type
    04000310OBCertifiedTimestamp|Certified Timestamp
    04000401SQDigitalSignaturePurposeCodeSequence|Digital Signature Purpose Code Sequence
    04000402SQReferencedDigitalSignatureSequence|Referenced Digital Signature Sequence
    04000403SQReferencedSOPInstanceMACSequence|Referenced SOP Instance MAC Sequence
    04000404OBMAC|MAC
    04000500SQEncryptedAttributesSequence|Encrypted Attributes Sequence
    04000510UIEncryptedContentTransferSyntaxUID|Encrypted Content Transfer Syntax UID
    04000520OBEncryptedContent|Encrypted Content
    04000550SQModifiedAttributesSequence|Modified Attributes Sequence
    04000551SQNonconformingModifiedAttributesSequence|Nonconforming Modified Attributes Sequence
    04000552OBNonconformingDataElementValue|Nonconforming Data Element Value
    04000561SQOriginalAttributesSequence|Original Attributes Sequence
    04000562DTAttributeModificationDateTime|Attribute Modification DateTime
    04000563LOModifyingSystem|Modifying System
    04000564LOSourceOfPreviousValues|Source of Previous Values
    04000565CSReasonForTheAttributeModification|Reason for the Attribute Modification
    04000600CSInstanceOriginStatus|Instance Origin Status
    10000010USEscapeTriplet|Escape Triplet
    10000011USRunLengthTriplet|Run Length Triplet
    10000012USHuffmanTableSize|Huffman Table Size
    10000013USHuffmanTableTriplet|Huffman Table Triplet
    10000014USShiftTableSize|Shift Table Size
    10000015USShiftTableTriplet|Shift Table Triplet
    10100004USZonalMap|Zonal Map
    20000010ISNumberOfCopies|Number of Copies
    2000001ESQPrinterConfigurationSequence|Printer Configuration Sequence
    20000020CSPrintPriority|Print Priority
    20000030CSMediumType|Medium Type
    20000040CSFilmDestination|Film Destination
    20000050LOFilmSessionLabel|Film Session Label
    20000060ISMemoryAllocation|Memory Allocation
    20000061ISMaximumMemoryAllocation|Maximum Memory Allocation
    20000062CSColorImagePrintingFlag|Color Image Printing Flag
    20000063CSCollationFlag|Collation Flag
    20000065CSAnnotationFlag|Annotation Flag
    20000067CSImageOverlayFlag|Image Overlay Flag
    20000069CSPresentationLUTFlag|Presentation LUT Flag
    2000006ACSImageBoxPresentationLUTFlag|Image Box Presentation LUT Flag
    200000A0USMemoryBitDepth|Memory Bit Depth
    200000A1USPrintingBitDepth|Printing Bit Depth
    200000A2SQMediaInstalledSequence|Media Installed Sequence
    200000A4SQOtherMediaAvailableSequence|Other Media Available Sequence
    200000A8SQSupportedImageDisplayFormatsSequence|Supported Image Display Formats Sequence
    20000500SQReferencedFilmBoxSequence|Referenced Film Box Sequence
    20000510SQReferencedStoredPrintSequence|Referenced Stored Print Sequence
    20100010STImageDisplayFormat|Image Display Format
    20100030CSAnnotationDisplayFormatID|Annotation Display Format ID
    20100040CSFilmOrientation|Film Orientation
    20100050CSFilmSizeID|Film Size ID
    20100052CSPrinterResolutionID|Printer Resolution ID
    20100054CSDefaultPrinterResolutionID|Default Printer Resolution ID
    20100060CSMagnificationType|Magnification Type
    20100080CSSmoothingType|Smoothing Type
    201000A6CSDefaultMagnificationType|Default Magnification Type
    201000A7CSOtherMagnificationTypesAvailable|Other Magnification Types Available
    201000A8CSDefaultSmoothingType|Default Smoothing Type
    201000A9CSOtherSmoothingTypesAvailable|Other Smoothing Types Available
    20100100CSBorderDensity|Border Density
    20100110CSEmptyImageDensity|Empty Image Density
    20100120USMinDensity|Min Density
    20100130USMaxDensity|Max Density
    20100140CSTrim|Trim
    20100150STConfigurationInformation|Configuration Information
    20100152LTConfigurationInformationDescription|Configuration Information Description
    20100154ISMaximumCollatedFilms|Maximum Collated Films
    2010015EUSIllumination|Illumination
    20100160USReflectedAmbientLight|Reflected Ambient Light
    20100376DSPrinterPixelSpacing|Printer Pixel Spacing
    20100500SQReferencedFilmSessionSequence|Referenced Film Session Sequence
    20100510SQReferencedImageBoxSequence|Referenced Image Box Sequence
    20100520SQReferencedBasicAnnotationBoxSequence|Referenced Basic Annotation Box Sequence
    20200010USImageBoxPosition|Image Box Position
    20200020CSPolarity|Polarity
    20200030DSRequestedImageSize|Requested Image Size
    20200040CSRequestedDecimateCropBehavior|Requested Decimate/Crop Behavior
    20200050CSRequestedResolutionID|Requested Resolution ID
    202000A0CSRequestedImageSizeFlag|Requested Image Size Flag
    202000A2CSDecimateCropResult|Decimate/Crop Result
    20200110SQBasicGrayscaleImageSequence|Basic Grayscale Image Sequence
    20200111SQBasicColorImageSequence|Basic Color Image Sequence
    20200130SQReferencedImageOverlayBoxSequence|Referenced Image Overlay Box Sequence
    20200140SQReferencedVOILUTBoxSequence|Referenced VOI LUT Box Sequence
    20300010USAnnotationPosition|Annotation Position
    20300020LOTextString|Text String
    20400010SQReferencedOverlayPlaneSequence|Referenced Overlay Plane Sequence
    20400011USReferencedOverlayPlaneGroups|Referenced Overlay Plane Groups
    20400020SQOverlayPixelDataSequence|Overlay Pixel Data Sequence
    20400060CSOverlayMagnificationType|Overlay Magnification Type
    20400070CSOverlaySmoothingType|Overlay Smoothing Type
    20400072CSOverlayOrImageMagnification|Overlay or Image Magnification
    20400074USMagnifyToNumberOfColumns|Magnify to Number of Columns
    20400080CSOverlayForegroundDensity|Overlay Foreground Density
    20400082CSOverlayBackgroundDensity|Overlay Background Density
    20400090CSOverlayMode|Overlay Mode
    20400100CSThresholdDensity|Threshold Density
    20400500SQReferencedImageBoxSequenceRetired|Referenced Image Box Sequence (Retired)
    20500010SQPresentationLUTSequence|Presentation LUT Sequence
    20500020CSPresentationLUTShape|Presentation LUT Shape
    20500500SQReferencedPresentationLUTSequence|Referenced Presentation LUT Sequence
    21000010SHPrintJobID|Print Job ID
    21000020CSExecutionStatus|Execution Status
    21000030CSExecutionStatusInfo|Execution Status Info
    21000040DACreationDate|Creation Date
    21000050TMCreationTime|Creation Time
    21000070AEOriginator|Originator
    21000140AEDestinationAE|Destination AE
    21000160SHOwnerID|Owner ID
    21000170ISNumberOfFilms|Number of Films
    21000500SQReferencedPrintJobSequencePullStoredPrint|Referenced Print Job Sequence (Pull Stored Print)
    21100010CSPrinterStatus|Printer Status
    21100020CSPrinterStatusInfo|Printer Status Info
    21100030LOPrinterName|Printer Name
    21100099SHPrintQueueID|Print Queue ID
    21200010CSQueueStatus|Queue Status
    21200050SQPrintJobDescriptionSequence|Print Job Description Sequence
    21200070SQReferencedPrintJobSequence|Referenced Print Job Sequence
    21300010SQPrintManagementCapabilitiesSequence|Print Management Capabilities Sequence
    21300015SQPrinterCharacteristicsSequence|Printer Characteristics Sequence
    21300030SQFilmBoxContentSequence|Film Box Content Sequence
    21300040SQImageBoxContentSequence|Image Box Content Sequence
    21300050SQAnnotationContentSequence|Annotation Content Sequence
    21300060SQImageOverlayBoxContentSequence|Image Overlay Box Content Sequence
    21300080SQPresentationLUTContentSequence|Presentation LUT Content Sequence
    213000A0SQProposedStudySequence|Proposed Study Sequence
    213000C0SQOriginalImageSequence|Original Image Sequence
    22000001CSLabelUsingInformationExtractedFromInstances|Label Using Information Extracted From Instances
    22000002UTLabelText|Label Text
    22000003CSLabelStyleSelection|Label Style Selection
    22000004LTMediaDisposition|Media Disposition
    22000005LTBarcodeValue|Barcode Value
    22000006CSBarcodeSymbology|Barcode Symbology
    22000007CSAllowMediaSplitting|Allow Media Splitting
    22000008CSIncludeNonDICOMObjects|Include Non-DICOM Objects
    22000009CSIncludeDisplayApplication|Include Display Application
    2200000ACSPreserveCompositeInstancesAfterMediaCreation|Preserve Composite Instances After Media Creation
    2200000BUSTotalNumberOfPiecesOfMediaCreated|Total Number of Pieces of Media Created
    2200000CLORequestedMediaApplicationProfile|Requested Media Application Profile
    2200000DSQReferencedStorageMediaSequence|Referenced Storage Media Sequence
    2200000EATFailureAttributes|Failure Attributes
    2200000FCSAllowLossyCompression|Allow Lossy Compression
    22000020CSRequestPriority|Request Priority
    30020002SHRTImageLabel|RT Image Label
    30020003LORTImageName|RT Image Name
    30020004STRTImageDescription|RT Image Description
    3002000ACSReportedValuesOrigin|Reported Values Origin
    3002000CCSRTImagePlane|RT Image Plane
    3002000DDSXRayImageReceptorTranslation|X-Ray Image Receptor Translation
    3002000EDSXRayImageReceptorAngle|X-Ray Image Receptor Angle
    30020010DSRTImageOrientation|RT Image Orientation
    30020011DSImagePlanePixelSpacing|Image Plane Pixel Spacing
    30020012DSRTImagePosition|RT Image Position
    30020020SHRadiationMachineName|Radiation Machine Name
    30020022DSRadiationMachineSAD|Radiation Machine SAD
    30020024DSRadiationMachineSSD|Radiation Machine SSD
    30020026DSRTImageSID|RT Image SID
    30020028DSSourceToReferenceObjectDistance|Source to Reference Object Distance
    30020029ISFractionNumber|Fraction Number
    30020030SQExposureSequence|Exposure Sequence
    30020032DSMetersetExposure|Meterset Exposure
    30020034DSDiaphragmPosition|Diaphragm Position
    30020040SQFluenceMapSequence|Fluence Map Sequence
    30020041CSFluenceDataSource|Fluence Data Source
    30020042DSFluenceDataScale|Fluence Data Scale
    30020050SQPrimaryFluenceModeSequence|Primary Fluence Mode Sequence
    30020051CSFluenceMode|Fluence Mode
    30020052SHFluenceModeID|Fluence Mode ID
    30020100ISSelectedFrameNumber|Selected Frame Number
    30020101SQSelectedFrameFunctionalGroupsSequence|Selected Frame Functional Groups Sequence
    30020102SQRTImageFrameGeneralContentSequence|RT Image Frame General Content Sequence
    30020103SQRTImageFrameContextSequence|RT Image Frame Context Sequence
    30020104SQRTImageScopeSequence|RT Image Scope Sequence
    30020105CSBeamModifierCoordinatesPresenceFlag|Beam Modifier Coordinates Presence Flag
    30020106FDStartCumulativeMeterset|Start Cumulative Meterset
    30020107FDStopCumulativeMeterset|Stop Cumulative Meterset
    30020108SQRTAcquisitionPatientPositionSequence|RT Acquisition Patient Position Sequence
    30020109SQRTImageFrameImagingDevicePositionSequence|RT Image Frame Imaging Device Position Sequence
    3002010ASQRTImageFramekVRadiationAcquisitionSequence|RT Image Frame kV Radiation Acquisition Sequence
    3002010BSQRTImageFrameMVRadiationAcquisitionSequence|RT Image Frame MV Radiation Acquisition Sequence
    3002010CSQRTImageFrameRadiationAcquisitionSequence|RT Image Frame Radiation Acquisition Sequence
    3002010DSQImagingSourcePositionSequence|Imaging Source Position Sequence
    3002010ESQImageReceptorPositionSequence|Image Receptor Position Sequence
    3002010FFDDevicePositionToEquipmentMappingMatrix|Device Position to Equipment Mapping Matrix
    30020110SQDevicePositionParameterSequence|Device Position Parameter Sequence
    30020111CSImagingSourceLocationSpecificationType|Imaging Source Location Specification Type
    30020112SQImagingDeviceLocationMatrixSequence|Imaging Device Location Matrix Sequence
    30020113SQImagingDeviceLocationParameterSequence|Imaging Device Location Parameter Sequence
    30020114SQImagingApertureSequence|Imaging Aperture Sequence
    30020115CSImagingApertureSpecificationType|Imaging Aperture Specification Type
    30020116USNumberOfAcquisitionDevices|Number of Acquisition Devices
    30020117SQAcquisitionDeviceSequence|Acquisition Device Sequence
    30020118SQAcquisitionTaskSequence|Acquisition Task Sequence
    30020119SQAcquisitionTaskWorkitemCodeSequence|Acquisition Task Workitem Code Sequence
    3002011ASQAcquisitionSubtaskSequence|Acquisition Subtask Sequence
    3002011BSQSubtaskWorkitemCodeSequence|Subtask Workitem Code Sequence
    3002011CUSAcquisitionTaskIndex|Acquisition Task Index
    3002011DUSAcquisitionSubtaskIndex|Acquisition Subtask Index
    3002011ESQReferencedBaselineParametersRTRadiationInstanceSequence|Referenced Baseline Parameters RT Radiation Instance Sequence
    3002011FSQPositionAcquisitionTemplateIdentificationSequence|Position Acquisition Template Identification Sequence
    30020120STPositionAcquisitionTemplateID|Position Acquisition Template ID
    30020121LOPositionAcquisitionTemplateName|Position Acquisition Template Name
    30020122SQPositionAcquisitionTemplateCodeSequence|Position Acquisition Template Code Sequence
    30020123LTPositionAcquisitionTemplateDescription|Position Acquisition Template Description
    30020124SQAcquisitionTaskApplicabilitySequence|Acquisition Task Applicability Sequence
    30020125SQProjectionImagingAcquisitionParameterSequence|Projection Imaging Acquisition Parameter Sequence
    30020126SQCTImagingAcquisitionParameterSequence|CT Imaging Acquisition Parameter Sequence
    30020127SQKVImagingGenerationParametersSequence|KV Imaging Generation Parameters Sequence
    30020128SQMVImagingGenerationParametersSequence|MV Imaging Generation Parameters Sequence
    30020129CSAcquisitionSignalType|Acquisition Signal Type
    3002012ACSAcquisitionMethod|Acquisition Method
    3002012BSQScanStartPositionSequence|Scan Start Position Sequence
    3002012CSQScanStopPositionSequence|Scan Stop Position Sequence
    3002012DFDImagingSourceToBeamModifierDefinitionPlaneDistance|Imaging Source to Beam Modifier Definition Plane Distance
    3002012ECSScanArcType|Scan Arc Type
    3002012FCSDetectorPositioningType|Detector Positioning Type
    30020130SQAdditionalRTAccessoryDeviceSequence|Additional RT Accessory Device Sequence
    30020131SQDeviceSpecificAcquisitionParameterSequence|Device-Specific Acquisition Parameter Sequence
    30020132SQReferencedPositionReferenceInstanceSequence|Referenced Position Reference Instance Sequence
    30020133SQEnergyDerivationCodeSequence|Energy Derivation Code Sequence
    30020134FDMaximumCumulativeMetersetExposure|Maximum Cumulative Meterset Exposure
    30020135SQAcquisitionInitiationSequence|Acquisition Initiation Sequence
    30040001CSDVHType|DVH Type
    30040002CSDoseUnits|Dose Units
    30040004CSDoseType|Dose Type
    30040005CSSpatialTransformOfDose|Spatial Transform of Dose
    30040006LODoseComment|Dose Comment
    30040008DSNormalizationPoint|Normalization Point
    3004000ACSDoseSummationType|Dose Summation Type
    3004000CDSGridFrameOffsetVector|Grid Frame Offset Vector
    3004000EDSDoseGridScaling|Dose Grid Scaling
    30040010SQRTDoseROISequence|RT Dose ROI Sequence
    30040012DSDoseValue|Dose Value
    30040014CSTissueHeterogeneityCorrection|Tissue Heterogeneity Correction
    30040040DSDVHNormalizationPoint|DVH Normalization Point
    30040042DSDVHNormalizationDoseValue|DVH Normalization Dose Value
    30040050SQDVHSequence|DVH Sequence
    30040052DSDVHDoseScaling|DVH Dose Scaling
    30040054CSDVHVolumeUnits|DVH Volume Units
    30040056ISDVHNumberOfBins|DVH Number of Bins
    30040058DSDVHData|DVH Data
    30040060SQDVHReferencedROISequence|DVH Referenced ROI Sequence
    30040062CSDVHROIContributionType|DVH ROI Contribution Type
    30040070DSDVHMinimumDose|DVH Minimum Dose
    30040072DSDVHMaximumDose|DVH Maximum Dose
    30040074DSDVHMeanDose|DVH Mean Dose
    30060002SHStructureSetLabel|Structure Set Label
    30060004LOStructureSetName|Structure Set Name
    30060006STStructureSetDescription|Structure Set Description
    30060008DAStructureSetDate|Structure Set Date
    30060009TMStructureSetTime|Structure Set Time
    30060010SQReferencedFrameOfReferenceSequence|Referenced Frame of Reference Sequence
    30060012SQRTReferencedStudySequence|RT Referenced Study Sequence
    30060014SQRTReferencedSeriesSequence|RT Referenced Series Sequence
    30060016SQContourImageSequence|Contour Image Sequence
    30060018SQPredecessorStructureSetSequence|Predecessor Structure Set Sequence
    30060020SQStructureSetROISequence|Structure Set ROI Sequence
    30060022ISROINumber|ROI Number
    30060024UIReferencedFrameOfReferenceUID|Referenced Frame of Reference UID
    30060026LOROIName|ROI Name
    30060028STROIDescription|ROI Description
    3006002AISROIDisplayColor|ROI Display Color
    3006002CDSROIVolume|ROI Volume
    3006002DDTROIDateTime|ROI DateTime
    3006002EDTROIObservationDateTime|ROI Observation DateTime
    30060030SQRTRelatedROISequence|RT Related ROI Sequence
    30060033CSRTROIRelationship|RT ROI Relationship
    30060036CSROIGenerationAlgorithm|ROI Generation Algorithm
    30060037SQROIDerivationAlgorithmIdentificationSequence|ROI Derivation Algorithm Identification Sequence
    30060038LOROIGenerationDescription|ROI Generation Description
    30060039SQROIContourSequence|ROI Contour Sequence
    30060040SQContourSequence|Contour Sequence
    30060042CSContourGeometricType|Contour Geometric Type
    30060044DSContourSlabThickness|Contour Slab Thickness
    30060045DSContourOffsetVector|Contour Offset Vector
    30060046ISNumberOfContourPoints|Number of Contour Points
    30060048ISContourNumber|Contour Number
    30060049ISAttachedContours|Attached Contours
    3006004ASQSourcePixelPlanesCharacteristicsSequence|Source Pixel Planes Characteristics Sequence
    3006004BSQSourceSeriesSequence|Source Series Sequence
    3006004CSQSourceSeriesInformationSequence|Source Series Information Sequence
    3006004DSQROICreatorSequence|ROI Creator Sequence
    3006004ESQROIInterpreterSequence|ROI Interpreter Sequence
    3006004FSQROIObservationContextCodeSequence|ROI Observation Context Code Sequence
    30060050DSContourData|Contour Data
    30060080SQRTROIObservationsSequence|RT ROI Observations Sequence
    30060082ISObservationNumber|Observation Number
    30060084ISReferencedROINumber|Referenced ROI Number
    30060085SHROIObservationLabel|ROI Observation Label
    30060086SQRTROIIdentificationCodeSequence|RT ROI Identification Code Sequence
    30060088STROIObservationDescription|ROI Observation Description
    300600A0SQRelatedRTROIObservationsSequence|Related RT ROI Observations Sequence
    300600A4CSRTROIInterpretedType|RT ROI Interpreted Type
    300600A6PNROIInterpreter|ROI Interpreter
    300600B0SQROIPhysicalPropertiesSequence|ROI Physical Properties Sequence
    300600B2CSROIPhysicalProperty|ROI Physical Property
    300600B4DSROIPhysicalPropertyValue|ROI Physical Property Value
    300600B6SQROIElementalCompositionSequence|ROI Elemental Composition Sequence
    300600B7USROIElementalCompositionAtomicNumber|ROI Elemental Composition Atomic Number
    300600B8FLROIElementalCompositionAtomicMassFraction|ROI Elemental Composition Atomic Mass Fraction
    300600B9SQAdditionalRTROIIdentificationCodeSequence|Additional RT ROI Identification Code Sequence
    300600C0SQFrameOfReferenceRelationshipSequence|Frame of Reference Relationship Sequence
    300600C2UIRelatedFrameOfReferenceUID|Related Frame of Reference UID
    300600C4CSFrameOfReferenceTransformationType|Frame of Reference Transformation Type
    300600C6DSFrameOfReferenceTransformationMatrix|Frame of Reference Transformation Matrix
    300600C8LOFrameOfReferenceTransformationComment|Frame of Reference Transformation Comment
    300600C9SQPatientLocationCoordinatesSequence|Patient Location Coordinates Sequence
    300600CASQPatientLocationCoordinatesCodeSequence|Patient Location Coordinates Code Sequence
    300600CBSQPatientSupportPositionSequence|Patient Support Position Sequence
    30080010SQMeasuredDoseReferenceSequence|Measured Dose Reference Sequence
    30080012STMeasuredDoseDescription|Measured Dose Description
    30080014CSMeasuredDoseType|Measured Dose Type
    30080016DSMeasuredDoseValue|Measured Dose Value
    30080020SQTreatmentSessionBeamSequence|Treatment Session Beam Sequence
    30080021SQTreatmentSessionIonBeamSequence|Treatment Session Ion Beam Sequence
    30080022ISCurrentFractionNumber|Current Fraction Number
    30080024DATreatmentControlPointDate|Treatment Control Point Date
    30080025TMTreatmentControlPointTime|Treatment Control Point Time
    3008002ACSTreatmentTerminationStatus|Treatment Termination Status
    3008002BSHTreatmentTerminationCode|Treatment Termination Code
    3008002CCSTreatmentVerificationStatus|Treatment Verification Status
    30080030SQReferencedTreatmentRecordSequence|Referenced Treatment Record Sequence
    30080032DSSpecifiedPrimaryMeterset|Specified Primary Meterset
    30080033DSSpecifiedSecondaryMeterset|Specified Secondary Meterset
    30080036DSDeliveredPrimaryMeterset|Delivered Primary Meterset
    30080037DSDeliveredSecondaryMeterset|Delivered Secondary Meterset
    3008003ADSSpecifiedTreatmentTime|Specified Treatment Time
    3008003BDSDeliveredTreatmentTime|Delivered Treatment Time
    30080040SQControlPointDeliverySequence|Control Point Delivery Sequence
    30080041SQIonControlPointDeliverySequence|Ion Control Point Delivery Sequence
    30080042DSSpecifiedMeterset|Specified Meterset
    30080044DSDeliveredMeterset|Delivered Meterset
    30080045FLMetersetRateSet|Meterset Rate Set
    30080046FLMetersetRateDelivered|Meterset Rate Delivered
    30080047FLScanSpotMetersetsDelivered|Scan Spot Metersets Delivered
    30080048DSDoseRateDelivered|Dose Rate Delivered
    30080050SQTreatmentSummaryCalculatedDoseReferenceSequence|Treatment Summary Calculated Dose Reference Sequence
    30080052DSCumulativeDoseToDoseReference|Cumulative Dose to Dose Reference
    30080054DAFirstTreatmentDate|First Treatment Date
    30080056DAMostRecentTreatmentDate|Most Recent Treatment Date
    3008005AISNumberOfFractionsDelivered|Number of Fractions Delivered
    30080060SQOverrideSequence|Override Sequence
    30080061ATParameterSequencePointer|Parameter Sequence Pointer
    30080062ATOverrideParameterPointer|Override Parameter Pointer
    30080063ISParameterItemIndex|Parameter Item Index
    30080064ISMeasuredDoseReferenceNumber|Measured Dose Reference Number
    30080065ATParameterPointer|Parameter Pointer
    30080066STOverrideReason|Override Reason
    30080067USParameterValueNumber|Parameter Value Number
    30080068SQCorrectedParameterSequence|Corrected Parameter Sequence
    3008006AFLCorrectionValue|Correction Value
    30080070SQCalculatedDoseReferenceSequence|Calculated Dose Reference Sequence
    30080072ISCalculatedDoseReferenceNumber|Calculated Dose Reference Number
    30080074STCalculatedDoseReferenceDescription|Calculated Dose Reference Description
    30080076DSCalculatedDoseReferenceDoseValue|Calculated Dose Reference Dose Value
    30080078DSStartMeterset|Start Meterset
    3008007ADSEndMeterset|End Meterset
    30080080SQReferencedMeasuredDoseReferenceSequence|Referenced Measured Dose Reference Sequence
    30080082ISReferencedMeasuredDoseReferenceNumber|Referenced Measured Dose Reference Number
    30080090SQReferencedCalculatedDoseReferenceSequence|Referenced Calculated Dose Reference Sequence
    30080092ISReferencedCalculatedDoseReferenceNumber|Referenced Calculated Dose Reference Number
    300800A0SQBeamLimitingDeviceLeafPairsSequence|Beam Limiting Device Leaf Pairs Sequence
    300800A1SQEnhancedRTBeamLimitingDeviceSequence|Enhanced RT Beam Limiting Device Sequence
    300800A2SQEnhancedRTBeamLimitingOpeningSequence|Enhanced RT Beam Limiting Opening Sequence
    300800A3CSEnhancedRTBeamLimitingDeviceDefinitionFlag|Enhanced RT Beam Limiting Device Definition Flag
    300800A4FDParallelRTBeamDelimiterOpeningExtents|Parallel RT Beam Delimiter Opening Extents
    300800B0SQRecordedWedgeSequence|Recorded Wedge Sequence
    300800C0SQRecordedCompensatorSequence|Recorded Compensator Sequence
    300800D0SQRecordedBlockSequence|Recorded Block Sequence
    300800D1SQRecordedBlockSlabSequence|Recorded Block Slab Sequence
    300800E0SQTreatmentSummaryMeasuredDoseReferenceSequence|Treatment Summary Measured Dose Reference Sequence
    300800F0SQRecordedSnoutSequence|Recorded Snout Sequence
    300800F2SQRecordedRangeShifterSequence|Recorded Range Shifter Sequence
    300800F4SQRecordedLateralSpreadingDeviceSequence|Recorded Lateral Spreading Device Sequence
    300800F6SQRecordedRangeModulatorSequence|Recorded Range Modulator Sequence
    30080100SQRecordedSourceSequence|Recorded Source Sequence
    30080105LOSourceSerialNumber|Source Serial Number
    30080110SQTreatmentSessionApplicationSetupSequence|Treatment Session Application Setup Sequence
    30080116CSApplicationSetupCheck|Application Setup Check
    30080120SQRecordedBrachyAccessoryDeviceSequence|Recorded Brachy Accessory Device Sequence
    30080122ISReferencedBrachyAccessoryDeviceNumber|Referenced Brachy Accessory Device Number
    30080130SQRecordedChannelSequence|Recorded Channel Sequence
    30080132DSSpecifiedChannelTotalTime|Specified Channel Total Time
    30080134DSDeliveredChannelTotalTime|Delivered Channel Total Time
    30080136ISSpecifiedNumberOfPulses|Specified Number of Pulses
    30080138ISDeliveredNumberOfPulses|Delivered Number of Pulses
    3008013ADSSpecifiedPulseRepetitionInterval|Specified Pulse Repetition Interval
    3008013CDSDeliveredPulseRepetitionInterval|Delivered Pulse Repetition Interval
    30080140SQRecordedSourceApplicatorSequence|Recorded Source Applicator Sequence
    30080142ISReferencedSourceApplicatorNumber|Referenced Source Applicator Number
    30080150SQRecordedChannelShieldSequence|Recorded Channel Shield Sequence
    30080152ISReferencedChannelShieldNumber|Referenced Channel Shield Number
    30080160SQBrachyControlPointDeliveredSequence|Brachy Control Point Delivered Sequence
    30080162DASafePositionExitDate|Safe Position Exit Date
    30080164TMSafePositionExitTime|Safe Position Exit Time
    30080166DASafePositionReturnDate|Safe Position Return Date
    30080168TMSafePositionReturnTime|Safe Position Return Time
    30080171SQPulseSpecificBrachyControlPointDeliveredSequence|Pulse Specific Brachy Control Point Delivered Sequence
    30080172USPulseNumber|Pulse Number
    30080173SQBrachyPulseControlPointDeliveredSequence|Brachy Pulse Control Point Delivered Sequence
    30080200CSCurrentTreatmentStatus|Current Treatment Status
    30080202STTreatmentStatusComment|Treatment Status Comment
    30080220SQFractionGroupSummarySequence|Fraction Group Summary Sequence
    30080223ISReferencedFractionNumber|Referenced Fraction Number
    30080224CSFractionGroupType|Fraction Group Type
    30080230CSBeamStopperPosition|Beam Stopper Position
    30080240SQFractionStatusSummarySequence|Fraction Status Summary Sequence
    30080250DATreatmentDate|Treatment Date
    30080251TMTreatmentTime|Treatment Time
    300A0002SHRTPlanLabel|RT Plan Label
    300A0003LORTPlanName|RT Plan Name
    300A0004STRTPlanDescription|RT Plan Description
    300A0006DARTPlanDate|RT Plan Date
    300A0007TMRTPlanTime|RT Plan Time
    300A0009LOTreatmentProtocols|Treatment Protocols
    300A000ACSPlanIntent|Plan Intent
    300A000BLOTreatmentSites|Treatment Sites
    300A000CCSRTPlanGeometry|RT Plan Geometry
    300A000ESTPrescriptionDescription|Prescription Description
    300A0010SQDoseReferenceSequence|Dose Reference Sequence
    300A0012ISDoseReferenceNumber|Dose Reference Number
    300A0013UIDoseReferenceUID|Dose Reference UID
    300A0014CSDoseReferenceStructureType|Dose Reference Structure Type
    300A0015CSNominalBeamEnergyUnit|Nominal Beam Energy Unit
    300A0016LODoseReferenceDescription|Dose Reference Description
    300A0018DSDoseReferencePointCoordinates|Dose Reference Point Coordinates
    300A001ADSNominalPriorDose|Nominal Prior Dose
    300A0020CSDoseReferenceType|Dose Reference Type
    300A0021DSConstraintWeight|Constraint Weight
    300A0022DSDeliveryWarningDose|Delivery Warning Dose
    300A0023DSDeliveryMaximumDose|Delivery Maximum Dose
    300A0025DSTargetMinimumDose|Target Minimum Dose
    300A0026DSTargetPrescriptionDose|Target Prescription Dose
    300A0027DSTargetMaximumDose|Target Maximum Dose
    300A0028DSTargetUnderdoseVolumeFraction|Target Underdose Volume Fraction
    300A002ADSOrganAtRiskFullVolumeDose|Organ at Risk Full-volume Dose
    300A002BDSOrganAtRiskLimitDose|Organ at Risk Limit Dose
    300A002CDSOrganAtRiskMaximumDose|Organ at Risk Maximum Dose
    300A002DDSOrganAtRiskOverdoseVolumeFraction|Organ at Risk Overdose Volume Fraction
    300A0040SQToleranceTableSequence|Tolerance Table Sequence
    300A0042ISToleranceTableNumber|Tolerance Table Number
    300A0043SHToleranceTableLabel|Tolerance Table Label
    300A0044DSGantryAngleTolerance|Gantry Angle Tolerance
    300A0046DSBeamLimitingDeviceAngleTolerance|Beam Limiting Device Angle Tolerance
    300A0048SQBeamLimitingDeviceToleranceSequence|Beam Limiting Device Tolerance Sequence
    300A004ADSBeamLimitingDevicePositionTolerance|Beam Limiting Device Position Tolerance
    300A004BFLSnoutPositionTolerance|Snout Position Tolerance
    300A004CDSPatientSupportAngleTolerance|Patient Support Angle Tolerance
    300A004EDSTableTopEccentricAngleTolerance|Table Top Eccentric Angle Tolerance
    300A004FFLTableTopPitchAngleTolerance|Table Top Pitch Angle Tolerance
    300A0050FLTableTopRollAngleTolerance|Table Top Roll Angle Tolerance
    300A0051DSTableTopVerticalPositionTolerance|Table Top Vertical Position Tolerance
    300A0052DSTableTopLongitudinalPositionTolerance|Table Top Longitudinal Position Tolerance
    300A0053DSTableTopLateralPositionTolerance|Table Top Lateral Position Tolerance
    300A0054UITableTopPositionAlignmentUID|Table Top Position Alignment UID
    300A0055CSRTPlanRelationship|RT Plan Relationship
    300A0070SQFractionGroupSequence|Fraction Group Sequence
    300A0071ISFractionGroupNumber|Fraction Group Number
    300A0072LOFractionGroupDescription|Fraction Group Description
    300A0078ISNumberOfFractionsPlanned|Number of Fractions Planned
    300A0079ISNumberOfFractionPatternDigitsPerDay|Number of Fraction Pattern Digits Per Day
    300A007AISRepeatFractionCycleLength|Repeat Fraction Cycle Length
    300A007BLTFractionPattern|Fraction Pattern
    300A0080ISNumberOfBeams|Number of Beams
    300A0082DSBeamDoseSpecificationPoint|Beam Dose Specification Point
    300A0083UIReferencedDoseReferenceUID|Referenced Dose Reference UID
    300A0084DSBeamDose|Beam Dose
    300A0086DSBeamMeterset|Beam Meterset
    300A0088FLBeamDosePointDepth|Beam Dose Point Depth
    300A0089FLBeamDosePointEquivalentDepth|Beam Dose Point Equivalent Depth
    300A008AFLBeamDosePointSSD|Beam Dose Point SSD
    300A008BCSBeamDoseMeaning|Beam Dose Meaning
    300A008CSQBeamDoseVerificationControlPointSequence|Beam Dose Verification Control Point Sequence
    300A008DFLAverageBeamDosePointDepth|Average Beam Dose Point Depth
    300A008EFLAverageBeamDosePointEquivalentDepth|Average Beam Dose Point Equivalent Depth
    300A008FFLAverageBeamDosePointSSD|Average Beam Dose Point SSD
    300A0090CSBeamDoseType|Beam Dose Type
    300A0091DSAlternateBeamDose|Alternate Beam Dose
    300A0092CSAlternateBeamDoseType|Alternate Beam Dose Type
    300A0093CSDepthValueAveragingFlag|Depth Value Averaging Flag
    300A0094DSBeamDosePointSourceToExternalContourDistance|Beam Dose Point Source to External Contour Distance
    300A00A0ISNumberOfBrachyApplicationSetups|Number of Brachy Application Setups
    300A00A2DSBrachyApplicationSetupDoseSpecificationPoint|Brachy Application Setup Dose Specification Point
    300A00A4DSBrachyApplicationSetupDose|Brachy Application Setup Dose
    300A00B0SQBeamSequence|Beam Sequence
    300A00B2SHTreatmentMachineName|Treatment Machine Name
    300A00B3CSPrimaryDosimeterUnit|Primary Dosimeter Unit
    300A00B4DSSourceAxisDistance|Source-Axis Distance
    300A00B6SQBeamLimitingDeviceSequence|Beam Limiting Device Sequence
    300A00B8CSRTBeamLimitingDeviceType|RT Beam Limiting Device Type
    300A00BADSSourceToBeamLimitingDeviceDistance|Source to Beam Limiting Device Distance
    300A00BBFLIsocenterToBeamLimitingDeviceDistance|Isocenter to Beam Limiting Device Distance
    300A00BCISNumberOfLeafJawPairs|Number of Leaf/Jaw Pairs
    300A00BEDSLeafPositionBoundaries|Leaf Position Boundaries
    300A00C0ISBeamNumber|Beam Number
    300A00C2LOBeamName|Beam Name
    300A00C3STBeamDescription|Beam Description
    300A00C4CSBeamType|Beam Type
    300A00C5FDBeamDeliveryDurationLimit|Beam Delivery Duration Limit
    300A00C6CSRadiationType|Radiation Type
    300A00C7CSHighDoseTechniqueType|High-Dose Technique Type
    300A00C8ISReferenceImageNumber|Reference Image Number
    300A00CASQPlannedVerificationImageSequence|Planned Verification Image Sequence
    300A00CCLOImagingDeviceSpecificAcquisitionParameters|Imaging Device-Specific Acquisition Parameters
    300A00CECSTreatmentDeliveryType|Treatment Delivery Type
    300A00D0ISNumberOfWedges|Number of Wedges
    300A00D1SQWedgeSequence|Wedge Sequence
    300A00D2ISWedgeNumber|Wedge Number
    300A00D3CSWedgeType|Wedge Type
    300A00D4SHWedgeID|Wedge ID
    300A00D5ISWedgeAngle|Wedge Angle
    300A00D6DSWedgeFactor|Wedge Factor
    300A00D7FLTotalWedgeTrayWaterEquivalentThickness|Total Wedge Tray Water-Equivalent Thickness
    300A00D8DSWedgeOrientation|Wedge Orientation
    300A00D9FLIsocenterToWedgeTrayDistance|Isocenter to Wedge Tray Distance
    300A00DADSSourceToWedgeTrayDistance|Source to Wedge Tray Distance
    300A00DBFLWedgeThinEdgePosition|Wedge Thin Edge Position
    300A00DCSHBolusID|Bolus ID
    300A00DDSTBolusDescription|Bolus Description
    300A00DEDSEffectiveWedgeAngle|Effective Wedge Angle
    300A00E0ISNumberOfCompensators|Number of Compensators
    300A00E1SHMaterialID|Material ID
    300A00E2DSTotalCompensatorTrayFactor|Total Compensator Tray Factor
    300A00E3SQCompensatorSequence|Compensator Sequence
    300A00E4ISCompensatorNumber|Compensator Number
    300A00E5SHCompensatorID|Compensator ID
    300A00E6DSSourceToCompensatorTrayDistance|Source to Compensator Tray Distance
    300A00E7ISCompensatorRows|Compensator Rows
    300A00E8ISCompensatorColumns|Compensator Columns
    300A00E9DSCompensatorPixelSpacing|Compensator Pixel Spacing
    300A00EADSCompensatorPosition|Compensator Position
    300A00EBDSCompensatorTransmissionData|Compensator Transmission Data
    300A00ECDSCompensatorThicknessData|Compensator Thickness Data
    300A00EDISNumberOfBoli|Number of Boli
    300A00EECSCompensatorType|Compensator Type
    300A00EFSHCompensatorTrayID|Compensator Tray ID
    300A00F0ISNumberOfBlocks|Number of Blocks
    300A00F2DSTotalBlockTrayFactor|Total Block Tray Factor
    300A00F3FLTotalBlockTrayWaterEquivalentThickness|Total Block Tray Water-Equivalent Thickness
    300A00F4SQBlockSequence|Block Sequence
    300A00F5SHBlockTrayID|Block Tray ID
    300A00F6DSSourceToBlockTrayDistance|Source to Block Tray Distance
    300A00F7FLIsocenterToBlockTrayDistance|Isocenter to Block Tray Distance
    300A00F8CSBlockType|Block Type
    300A00F9LOAccessoryCode|Accessory Code
    300A00FACSBlockDivergence|Block Divergence
    300A00FBCSBlockMountingPosition|Block Mounting Position
    300A00FCISBlockNumber|Block Number
    300A00FELOBlockName|Block Name
    300A0100DSBlockThickness|Block Thickness
    300A0102DSBlockTransmission|Block Transmission
    300A0104ISBlockNumberOfPoints|Block Number of Points
    300A0106DSBlockData|Block Data
    300A0107SQApplicatorSequence|Applicator Sequence
    300A0108SHApplicatorID|Applicator ID
    300A0109CSApplicatorType|Applicator Type
    300A010ALOApplicatorDescription|Applicator Description
    300A010CDSCumulativeDoseReferenceCoefficient|Cumulative Dose Reference Coefficient
    300A010EDSFinalCumulativeMetersetWeight|Final Cumulative Meterset Weight
    300A0110ISNumberOfControlPoints|Number of Control Points
    300A0111SQControlPointSequence|Control Point Sequence
    300A0112ISControlPointIndex|Control Point Index
    300A0114DSNominalBeamEnergy|Nominal Beam Energy
    300A0115DSDoseRateSet|Dose Rate Set
    300A0116SQWedgePositionSequence|Wedge Position Sequence
    300A0118CSWedgePosition|Wedge Position
    300A011ASQBeamLimitingDevicePositionSequence|Beam Limiting Device Position Sequence
    300A011CDSLeafJawPositions|Leaf/Jaw Positions
    300A011EDSGantryAngle|Gantry Angle
    300A011FCSGantryRotationDirection|Gantry Rotation Direction
    300A0120DSBeamLimitingDeviceAngle|Beam Limiting Device Angle
    300A0121CSBeamLimitingDeviceRotationDirection|Beam Limiting Device Rotation Direction
    300A0122DSPatientSupportAngle|Patient Support Angle
    300A0123CSPatientSupportRotationDirection|Patient Support Rotation Direction
    300A0124DSTableTopEccentricAxisDistance|Table Top Eccentric Axis Distance
    300A0125DSTableTopEccentricAngle|Table Top Eccentric Angle
    300A0126CSTableTopEccentricRotationDirection|Table Top Eccentric Rotation Direction
    300A0128DSTableTopVerticalPosition|Table Top Vertical Position
    300A0129DSTableTopLongitudinalPosition|Table Top Longitudinal Position
    300A012ADSTableTopLateralPosition|Table Top Lateral Position
    300A012CDSIsocenterPosition|Isocenter Position
    300A012EDSSurfaceEntryPoint|Surface Entry Point
    300A0130DSSourceToSurfaceDistance|Source to Surface Distance
    300A0131FLAverageBeamDosePointSourceToExternalContourDistance|Average Beam Dose Point Source to External Contour Distance
    300A0132FLSourceToExternalContourDistance|Source to External Contour Distance
    300A0133FLExternalContourEntryPoint|External Contour Entry Point
    300A0134DSCumulativeMetersetWeight|Cumulative Meterset Weight
    300A0140FLTableTopPitchAngle|Table Top Pitch Angle
    300A0142CSTableTopPitchRotationDirection|Table Top Pitch Rotation Direction
    300A0144FLTableTopRollAngle|Table Top Roll Angle
    300A0146CSTableTopRollRotationDirection|Table Top Roll Rotation Direction
    300A0148FLHeadFixationAngle|Head Fixation Angle
    300A014AFLGantryPitchAngle|Gantry Pitch Angle
    300A014CCSGantryPitchRotationDirection|Gantry Pitch Rotation Direction
    300A014EFLGantryPitchAngleTolerance|Gantry Pitch Angle Tolerance
    300A0150CSFixationEye|Fixation Eye
    300A0151DSChairHeadFramePosition|Chair Head Frame Position
    300A0152DSHeadFixationAngleTolerance|Head Fixation Angle Tolerance
    300A0153DSChairHeadFramePositionTolerance|Chair Head Frame Position Tolerance
    300A0154DSFixationLightAzimuthalAngleTolerance|Fixation Light Azimuthal Angle Tolerance
    300A0155DSFixationLightPolarAngleTolerance|Fixation Light Polar Angle Tolerance
    300A0180SQPatientSetupSequence|Patient Setup Sequence
    300A0182ISPatientSetupNumber|Patient Setup Number
    300A0183LOPatientSetupLabel|Patient Setup Label
    300A0184LOPatientAdditionalPosition|Patient Additional Position
    300A0190SQFixationDeviceSequence|Fixation Device Sequence
    300A0192CSFixationDeviceType|Fixation Device Type
    300A0194SHFixationDeviceLabel|Fixation Device Label
    300A0196STFixationDeviceDescription|Fixation Device Description
    300A0198SHFixationDevicePosition|Fixation Device Position
    300A0199FLFixationDevicePitchAngle|Fixation Device Pitch Angle
    300A019AFLFixationDeviceRollAngle|Fixation Device Roll Angle
    300A01A0SQShieldingDeviceSequence|Shielding Device Sequence
    300A01A2CSShieldingDeviceType|Shielding Device Type
    300A01A4SHShieldingDeviceLabel|Shielding Device Label
    300A01A6STShieldingDeviceDescription|Shielding Device Description
    300A01A8SHShieldingDevicePosition|Shielding Device Position
    300A01B0CSSetupTechnique|Setup Technique
    300A01B2STSetupTechniqueDescription|Setup Technique Description
    300A01B4SQSetupDeviceSequence|Setup Device Sequence
    300A01B6CSSetupDeviceType|Setup Device Type
    300A01B8SHSetupDeviceLabel|Setup Device Label
    300A01BASTSetupDeviceDescription|Setup Device Description
    300A01BCDSSetupDeviceParameter|Setup Device Parameter
    300A01D0STSetupReferenceDescription|Setup Reference Description
    300A01D2DSTableTopVerticalSetupDisplacement|Table Top Vertical Setup Displacement
    300A01D4DSTableTopLongitudinalSetupDisplacement|Table Top Longitudinal Setup Displacement
    300A01D6DSTableTopLateralSetupDisplacement|Table Top Lateral Setup Displacement
    300A0200CSBrachyTreatmentTechnique|Brachy Treatment Technique
    300A0202CSBrachyTreatmentType|Brachy Treatment Type
    300A0206SQTreatmentMachineSequence|Treatment Machine Sequence
    300A0210SQSourceSequence|Source Sequence
    300A0212ISSourceNumber|Source Number
    300A0214CSSourceType|Source Type
    300A0216LOSourceManufacturer|Source Manufacturer
    300A0218DSActiveSourceDiameter|Active Source Diameter
    300A021ADSActiveSourceLength|Active Source Length
    300A021BSHSourceModelID|Source Model ID
    300A021CLOSourceDescription|Source Description
    300A0222DSSourceEncapsulationNominalThickness|Source Encapsulation Nominal Thickness
    300A0224DSSourceEncapsulationNominalTransmission|Source Encapsulation Nominal Transmission
    300A0226LOSourceIsotopeName|Source Isotope Name
    300A0228DSSourceIsotopeHalfLife|Source Isotope Half Life
    300A0229CSSourceStrengthUnits|Source Strength Units
    300A022ADSReferenceAirKermaRate|Reference Air Kerma Rate
    300A022BDSSourceStrength|Source Strength
    300A022CDASourceStrengthReferenceDate|Source Strength Reference Date
    300A022ETMSourceStrengthReferenceTime|Source Strength Reference Time
    300A0230SQApplicationSetupSequence|Application Setup Sequence
    300A0232CSApplicationSetupType|Application Setup Type
    300A0234ISApplicationSetupNumber|Application Setup Number
    300A0236LOApplicationSetupName|Application Setup Name
    300A0238LOApplicationSetupManufacturer|Application Setup Manufacturer
    300A0240ISTemplateNumber|Template Number
    300A0242SHTemplateType|Template Type
    300A0244LOTemplateName|Template Name
    300A0250DSTotalReferenceAirKerma|Total Reference Air Kerma
    300A0260SQBrachyAccessoryDeviceSequence|Brachy Accessory Device Sequence
    300A0262ISBrachyAccessoryDeviceNumber|Brachy Accessory Device Number
    300A0263SHBrachyAccessoryDeviceID|Brachy Accessory Device ID
    300A0264CSBrachyAccessoryDeviceType|Brachy Accessory Device Type
    300A0266LOBrachyAccessoryDeviceName|Brachy Accessory Device Name
    300A026ADSBrachyAccessoryDeviceNominalThickness|Brachy Accessory Device Nominal Thickness
    300A026CDSBrachyAccessoryDeviceNominalTransmission|Brachy Accessory Device Nominal Transmission
    300A0271DSChannelEffectiveLength|Channel Effective Length
    300A0272DSChannelInnerLength|Channel Inner Length
    300A0273SHAfterloaderChannelID|Afterloader Channel ID
    300A0274DSSourceApplicatorTipLength|Source Applicator Tip Length
    300A0280SQChannelSequence|Channel Sequence
    300A0282ISChannelNumber|Channel Number
    300A0284DSChannelLength|Channel Length
    300A0286DSChannelTotalTime|Channel Total Time
    300A0288CSSourceMovementType|Source Movement Type
    300A028AISNumberOfPulses|Number of Pulses
    300A028CDSPulseRepetitionInterval|Pulse Repetition Interval
    300A0290ISSourceApplicatorNumber|Source Applicator Number
    300A0291SHSourceApplicatorID|Source Applicator ID
    300A0292CSSourceApplicatorType|Source Applicator Type
    300A0294LOSourceApplicatorName|Source Applicator Name
    300A0296DSSourceApplicatorLength|Source Applicator Length
    300A0298LOSourceApplicatorManufacturer|Source Applicator Manufacturer
    300A029CDSSourceApplicatorWallNominalThickness|Source Applicator Wall Nominal Thickness
    300A029EDSSourceApplicatorWallNominalTransmission|Source Applicator Wall Nominal Transmission
    300A02A0DSSourceApplicatorStepSize|Source Applicator Step Size
    300A02A1ISApplicatorShapeReferencedROINumber|Applicator Shape Referenced ROI Number
    300A02A2ISTransferTubeNumber|Transfer Tube Number
    300A02A4DSTransferTubeLength|Transfer Tube Length
    300A02B0SQChannelShieldSequence|Channel Shield Sequence
    300A02B2ISChannelShieldNumber|Channel Shield Number
    300A02B3SHChannelShieldID|Channel Shield ID
    300A02B4LOChannelShieldName|Channel Shield Name
    300A02B8DSChannelShieldNominalThickness|Channel Shield Nominal Thickness
    300A02BADSChannelShieldNominalTransmission|Channel Shield Nominal Transmission
    300A02C8DSFinalCumulativeTimeWeight|Final Cumulative Time Weight
    300A02D0SQBrachyControlPointSequence|Brachy Control Point Sequence
    300A02D2DSControlPointRelativePosition|Control Point Relative Position
    300A02D4DSControlPoint3DPosition|Control Point 3D Position
    300A02D6DSCumulativeTimeWeight|Cumulative Time Weight
    300A02E0CSCompensatorDivergence|Compensator Divergence
    300A02E1CSCompensatorMountingPosition|Compensator Mounting Position
    300A02E2DSSourceToCompensatorDistance|Source to Compensator Distance
    300A02E3FLTotalCompensatorTrayWaterEquivalentThickness|Total Compensator Tray Water-Equivalent Thickness
    300A02E4FLIsocenterToCompensatorTrayDistance|Isocenter to Compensator Tray Distance
    300A02E5FLCompensatorColumnOffset|Compensator Column Offset
    300A02E6FLIsocenterToCompensatorDistances|Isocenter to Compensator Distances
    300A02E7FLCompensatorRelativeStoppingPowerRatio|Compensator Relative Stopping Power Ratio
    300A02E8FLCompensatorMillingToolDiameter|Compensator Milling Tool Diameter
    300A02EASQIonRangeCompensatorSequence|Ion Range Compensator Sequence
    300A02EBLTCompensatorDescription|Compensator Description
    300A0302ISRadiationMassNumber|Radiation Mass Number
    300A0304ISRadiationAtomicNumber|Radiation Atomic Number
    300A0306SSRadiationChargeState|Radiation Charge State
    300A0308CSScanMode|Scan Mode
    300A0309CSModulatedScanModeType|Modulated Scan Mode Type
    300A030AFLVirtualSourceAxisDistances|Virtual Source-Axis Distances
    300A030CSQSnoutSequence|Snout Sequence
    300A030DFLSnoutPosition|Snout Position
    300A030FSHSnoutID|Snout ID
    300A0312ISNumberOfRangeShifters|Number of Range Shifters
    300A0314SQRangeShifterSequence|Range Shifter Sequence
    300A0316ISRangeShifterNumber|Range Shifter Number
    300A0318SHRangeShifterID|Range Shifter ID
    300A0320CSRangeShifterType|Range Shifter Type
    300A0322LORangeShifterDescription|Range Shifter Description
    300A0330ISNumberOfLateralSpreadingDevices|Number of Lateral Spreading Devices
    300A0332SQLateralSpreadingDeviceSequence|Lateral Spreading Device Sequence
    300A0334ISLateralSpreadingDeviceNumber|Lateral Spreading Device Number
    300A0336SHLateralSpreadingDeviceID|Lateral Spreading Device ID
    300A0338CSLateralSpreadingDeviceType|Lateral Spreading Device Type
    300A033ALOLateralSpreadingDeviceDescription|Lateral Spreading Device Description
    300A033CFLLateralSpreadingDeviceWaterEquivalentThickness|Lateral Spreading Device Water Equivalent Thickness
    300A0340ISNumberOfRangeModulators|Number of Range Modulators
    300A0342SQRangeModulatorSequence|Range Modulator Sequence
    300A0344ISRangeModulatorNumber|Range Modulator Number
    300A0346SHRangeModulatorID|Range Modulator ID
    300A0348CSRangeModulatorType|Range Modulator Type
    300A034ALORangeModulatorDescription|Range Modulator Description
    300A034CSHBeamCurrentModulationID|Beam Current Modulation ID
    300A0350CSPatientSupportType|Patient Support Type
    300A0352SHPatientSupportID|Patient Support ID
    300A0354LOPatientSupportAccessoryCode|Patient Support Accessory Code
    300A0355LOTrayAccessoryCode|Tray Accessory Code
    300A0356FLFixationLightAzimuthalAngle|Fixation Light Azimuthal Angle
    300A0358FLFixationLightPolarAngle|Fixation Light Polar Angle
    300A035AFLMetersetRate|Meterset Rate
    300A0360SQRangeShifterSettingsSequence|Range Shifter Settings Sequence
    300A0362LORangeShifterSetting|Range Shifter Setting
    300A0364FLIsocenterToRangeShifterDistance|Isocenter to Range Shifter Distance
    300A0366FLRangeShifterWaterEquivalentThickness|Range Shifter Water Equivalent Thickness
    300A0370SQLateralSpreadingDeviceSettingsSequence|Lateral Spreading Device Settings Sequence
    300A0372LOLateralSpreadingDeviceSetting|Lateral Spreading Device Setting
    300A0374FLIsocenterToLateralSpreadingDeviceDistance|Isocenter to Lateral Spreading Device Distance
    300A0380SQRangeModulatorSettingsSequence|Range Modulator Settings Sequence
    300A0382FLRangeModulatorGatingStartValue|Range Modulator Gating Start Value
    300A0384FLRangeModulatorGatingStopValue|Range Modulator Gating Stop Value
    300A0386FLRangeModulatorGatingStartWaterEquivalentThickness|Range Modulator Gating Start Water Equivalent Thickness
    300A0388FLRangeModulatorGatingStopWaterEquivalentThickness|Range Modulator Gating Stop Water Equivalent Thickness
    300A038AFLIsocenterToRangeModulatorDistance|Isocenter to Range Modulator Distance
    300A038FFLScanSpotTimeOffset|Scan Spot Time Offset
    300A0390SHScanSpotTuneID|Scan Spot Tune ID
    300A0391ISScanSpotPrescribedIndices|Scan Spot Prescribed Indices
    300A0392ISNumberOfScanSpotPositions|Number of Scan Spot Positions
    300A0393CSScanSpotReordered|Scan Spot Reordered
    300A0394FLScanSpotPositionMap|Scan Spot Position Map
    300A0395CSScanSpotReorderingAllowed|Scan Spot Reordering Allowed
    300A0396FLScanSpotMetersetWeights|Scan Spot Meterset Weights
    300A0398FLScanningSpotSize|Scanning Spot Size
    300A0399FLScanSpotSizesDelivered|Scan Spot Sizes Delivered
    300A039AISNumberOfPaintings|Number of Paintings
    300A03A0SQIonToleranceTableSequence|Ion Tolerance Table Sequence
    300A03A2SQIonBeamSequence|Ion Beam Sequence
    300A03A4SQIonBeamLimitingDeviceSequence|Ion Beam Limiting Device Sequence
    300A03A6SQIonBlockSequence|Ion Block Sequence
    300A03A8SQIonControlPointSequence|Ion Control Point Sequence
    300A03AASQIonWedgeSequence|Ion Wedge Sequence
    300A03ACSQIonWedgePositionSequence|Ion Wedge Position Sequence
    300A0401SQReferencedSetupImageSequence|Referenced Setup Image Sequence
    300A0402STSetupImageComment|Setup Image Comment
    300A0410SQMotionSynchronizationSequence|Motion Synchronization Sequence
    300A0412FLControlPointOrientation|Control Point Orientation
    300A0420SQGeneralAccessorySequence|General Accessory Sequence
    300A0421SHGeneralAccessoryID|General Accessory ID
    300A0422STGeneralAccessoryDescription|General Accessory Description
    300A0423CSGeneralAccessoryType|General Accessory Type
    300A0424ISGeneralAccessoryNumber|General Accessory Number
    300A0425FLSourceToGeneralAccessoryDistance|Source to General Accessory Distance
    300A0426DSIsocenterToGeneralAccessoryDistance|Isocenter to General Accessory Distance
    300A0431SQApplicatorGeometrySequence|Applicator Geometry Sequence
    300A0432CSApplicatorApertureShape|Applicator Aperture Shape
    300A0433FLApplicatorOpening|Applicator Opening
    300A0434FLApplicatorOpeningX|Applicator Opening X
    300A0435FLApplicatorOpeningY|Applicator Opening Y
    300A0436FLSourceToApplicatorMountingPositionDistance|Source to Applicator Mounting Position Distance
    300A0440ISNumberOfBlockSlabItems|Number of Block Slab Items
    300A0441SQBlockSlabSequence|Block Slab Sequence
    300A0442DSBlockSlabThickness|Block Slab Thickness
    300A0443USBlockSlabNumber|Block Slab Number
    300A0450SQDeviceMotionControlSequence|Device Motion Control Sequence
    300A0451CSDeviceMotionExecutionMode|Device Motion Execution Mode
    300A0452CSDeviceMotionObservationMode|Device Motion Observation Mode
    300A0453SQDeviceMotionParameterCodeSequence|Device Motion Parameter Code Sequence
    300A0501FLDistalDepthFraction|Distal Depth Fraction
    300A0502FLDistalDepth|Distal Depth
    300A0503FLNominalRangeModulationFractions|Nominal Range Modulation Fractions
    300A0504FLNominalRangeModulatedRegionDepths|Nominal Range Modulated Region Depths
    300A0505SQDepthDoseParametersSequence|Depth Dose Parameters Sequence
    300A0506SQDeliveredDepthDoseParametersSequence|Delivered Depth Dose Parameters Sequence
    300A0507FLDeliveredDistalDepthFraction|Delivered Distal Depth Fraction
    300A0508FLDeliveredDistalDepth|Delivered Distal Depth
    300A0509FLDeliveredNominalRangeModulationFractions|Delivered Nominal Range Modulation Fractions
    300A0510FLDeliveredNominalRangeModulatedRegionDepths|Delivered Nominal Range Modulated Region Depths
    300A0511CSDeliveredReferenceDoseDefinition|Delivered Reference Dose Definition
    300A0512CSReferenceDoseDefinition|Reference Dose Definition
    300A0600USRTControlPointIndex|RT Control Point Index
    300A0601USRadiationGenerationModeIndex|Radiation Generation Mode Index
    300A0602USReferencedDefinedDeviceIndex|Referenced Defined Device Index
    300A0603USRadiationDoseIdentificationIndex|Radiation Dose Identification Index
    300A0604USNumberOfRTControlPoints|Number of RT Control Points
    300A0605USReferencedRadiationGenerationModeIndex|Referenced Radiation Generation Mode Index
    300A0606USTreatmentPositionIndex|Treatment Position Index
    300A0607USReferencedDeviceIndex|Referenced Device Index
    300A0608LOTreatmentPositionGroupLabel|Treatment Position Group Label
    300A0609UITreatmentPositionGroupUID|Treatment Position Group UID
    300A060ASQTreatmentPositionGroupSequence|Treatment Position Group Sequence
    300A060BUSReferencedTreatmentPositionIndex|Referenced Treatment Position Index
    300A060CUSReferencedRadiationDoseIdentificationIndex|Referenced Radiation Dose Identification Index
    300A060DFDRTAccessoryHolderWaterEquivalentThickness|RT Accessory Holder Water-Equivalent Thickness
    300A060EUSReferencedRTAccessoryHolderDeviceIndex|Referenced RT Accessory Holder Device Index
    300A060FCSRTAccessoryHolderSlotExistenceFlag|RT Accessory Holder Slot Existence Flag
    300A0610SQRTAccessoryHolderSlotSequence|RT Accessory Holder Slot Sequence
    300A0611LORTAccessoryHolderSlotID|RT Accessory Holder Slot ID
    300A0612FDRTAccessoryHolderSlotDistance|RT Accessory Holder Slot Distance
    300A0613FDRTAccessorySlotDistance|RT Accessory Slot Distance
    300A0614SQRTAccessoryHolderDefinitionSequence|RT Accessory Holder Definition Sequence
    300A0615LORTAccessoryDeviceSlotID|RT Accessory Device Slot ID
    300A0616SQRTRadiationSequence|RT Radiation Sequence
    300A0617SQRadiationDoseSequence|Radiation Dose Sequence
    300A0618SQRadiationDoseIdentificationSequence|Radiation Dose Identification Sequence
    300A0619LORadiationDoseIdentificationLabel|Radiation Dose Identification Label
    300A061ACSReferenceDoseType|Reference Dose Type
    300A061BCSPrimaryDoseValueIndicator|Primary Dose Value Indicator
    300A061CSQDoseValuesSequence|Dose Values Sequence
    300A061DCSDoseValuePurpose|Dose Value Purpose
    300A061EFDReferenceDosePointCoordinates|Reference Dose Point Coordinates
    300A061FSQRadiationDoseValuesParametersSequence|Radiation Dose Values Parameters Sequence
    300A0620SQMetersetToDoseMappingSequence|Meterset to Dose Mapping Sequence
    300A0621SQExpectedInVivoMeasurementValuesSequence|Expected In-Vivo Measurement Values Sequence
    300A0622USExpectedInVivoMeasurementValueIndex|Expected In-Vivo Measurement Value Index
    300A0623LORadiationDoseInVivoMeasurementLabel|Radiation Dose In-Vivo Measurement Label
    300A0624FDRadiationDoseCentralAxisDisplacement|Radiation Dose Central Axis Displacement
    300A0625FDRadiationDoseValue|Radiation Dose Value
    300A0626FDRadiationDoseSourceToSkinDistance|Radiation Dose Source to Skin Distance
    300A0627FDRadiationDoseMeasurementPointCoordinates|Radiation Dose Measurement Point Coordinates
    300A0628FDRadiationDoseSourceToExternalContourDistance|Radiation Dose Source to External Contour Distance
    300A0629SQRTToleranceSetSequence|RT Tolerance Set Sequence
    300A062ALORTToleranceSetLabel|RT Tolerance Set Label
    300A062BSQAttributeToleranceValuesSequence|Attribute Tolerance Values Sequence
    300A062CFDToleranceValue|Tolerance Value
    300A062DSQPatientSupportPositionToleranceSequence|Patient Support Position Tolerance Sequence
    300A062EFDTreatmentTimeLimit|Treatment Time Limit
    300A062FSQCArmPhotonElectronControlPointSequence|C-Arm Photon-Electron Control Point Sequence
    300A0630SQReferencedRTRadiationSequence|Referenced RT Radiation Sequence
    300A0631SQReferencedRTInstanceSequence|Referenced RT Instance Sequence
    300A0632SQReferencedRTPatientSetupSequence|Referenced RT Patient Setup Sequence
    300A0634FDSourceToPatientSurfaceDistance|Source to Patient Surface Distance
    300A0635SQTreatmentMachineSpecialModeCodeSequence|Treatment Machine Special Mode Code Sequence
    300A0636USIntendedNumberOfFractions|Intended Number of Fractions
    300A0637CSRTRadiationSetIntent|RT Radiation Set Intent
    300A0638CSRTRadiationPhysicalAndGeometricContentDetailFlag|RT Radiation Physical and Geometric Content Detail Flag
    300A0639CSRTRecordFlag|RT Record Flag
    300A063ASQTreatmentDeviceIdentificationSequence|Treatment Device Identification Sequence
    300A063BSQReferencedRTPhysicianIntentSequence|Referenced RT Physician Intent Sequence
    300A063CFDCumulativeMeterset|Cumulative Meterset
    300A063DFDDeliveryRate|Delivery Rate
    300A063ESQDeliveryRateUnitSequence|Delivery Rate Unit Sequence
    300A063FSQTreatmentPositionSequence|Treatment Position Sequence
    300A0640FDRadiationSourceAxisDistance|Radiation Source-Axis Distance
    300A0641USNumberOfRTBeamLimitingDevices|Number of RT Beam Limiting Devices
    300A0642FDRTBeamLimitingDeviceProximalDistance|RT Beam Limiting Device Proximal Distance
    300A0643FDRTBeamLimitingDeviceDistalDistance|RT Beam Limiting Device Distal Distance
    300A0644SQParallelRTBeamDelimiterDeviceOrientationLabelCodeSequence|Parallel RT Beam Delimiter Device Orientation Label Code Sequence
    300A0645FDBeamModifierOrientationAngle|Beam Modifier Orientation Angle
    300A0646SQFixedRTBeamDelimiterDeviceSequence|Fixed RT Beam Delimiter Device Sequence
    300A0647SQParallelRTBeamDelimiterDeviceSequence|Parallel RT Beam Delimiter Device Sequence
    300A0648USNumberOfParallelRTBeamDelimiters|Number of Parallel RT Beam Delimiters
    300A0649FDParallelRTBeamDelimiterBoundaries|Parallel RT Beam Delimiter Boundaries
    300A064AFDParallelRTBeamDelimiterPositions|Parallel RT Beam Delimiter Positions
    300A064BFDRTBeamLimitingDeviceOffset|RT Beam Limiting Device Offset
    300A064CSQRTBeamDelimiterGeometrySequence|RT Beam Delimiter Geometry Sequence
    300A064DSQRTBeamLimitingDeviceDefinitionSequence|RT Beam Limiting Device Definition Sequence
    300A064ECSParallelRTBeamDelimiterOpeningMode|Parallel RT Beam Delimiter Opening Mode
    300A064FCSParallelRTBeamDelimiterLeafMountingSide|Parallel RT Beam Delimiter Leaf Mounting Side
    300A0650UIPatientSetupUID|Patient Setup UID
    300A0651SQWedgeDefinitionSequence|Wedge Definition Sequence
    300A0652FDRadiationBeamWedgeAngle|Radiation Beam Wedge Angle
    300A0653FDRadiationBeamWedgeThinEdgeDistance|Radiation Beam Wedge Thin Edge Distance
    300A0654FDRadiationBeamEffectiveWedgeAngle|Radiation Beam Effective Wedge Angle
    300A0655USNumberOfWedgePositions|Number of Wedge Positions
    300A0656SQRTBeamLimitingDeviceOpeningSequence|RT Beam Limiting Device Opening Sequence
    300A0657USNumberOfRTBeamLimitingDeviceOpenings|Number of RT Beam Limiting Device Openings
    300A0658SQRadiationDosimeterUnitSequence|Radiation Dosimeter Unit Sequence
    300A0659SQRTDeviceDistanceReferenceLocationCodeSequence|RT Device Distance Reference Location Code Sequence
    300A065ASQRadiationDeviceConfigurationAndCommissioningKeySequence|Radiation Device Configuration and Commissioning Key Sequence
    300A065BSQPatientSupportPositionParameterSequence|Patient Support Position Parameter Sequence
    300A065CCSPatientSupportPositionSpecificationMethod|Patient Support Position Specification Method
    300A065DSQPatientSupportPositionDeviceParameterSequence|Patient Support Position Device Parameter Sequence
    300A065EUSDeviceOrderIndex|Device Order Index
    300A065FUSPatientSupportPositionParameterOrderIndex|Patient Support Position Parameter Order Index
    300A0660SQPatientSupportPositionDeviceToleranceSequence|Patient Support Position Device Tolerance Sequence
    300A0661USPatientSupportPositionToleranceOrderIndex|Patient Support Position Tolerance Order Index
    300A0662SQCompensatorDefinitionSequence|Compensator Definition Sequence
    300A0663CSCompensatorMapOrientation|Compensator Map Orientation
    300A0664OFCompensatorProximalThicknessMap|Compensator Proximal Thickness Map
    300A0665OFCompensatorDistalThicknessMap|Compensator Distal Thickness Map
    300A0666FDCompensatorBasePlaneOffset|Compensator Base Plane Offset
    300A0667SQCompensatorShapeFabricationCodeSequence|Compensator Shape Fabrication Code Sequence
    300A0668SQCompensatorShapeSequence|Compensator Shape Sequence
    300A0669FDRadiationBeamCompensatorMillingToolDiameter|Radiation Beam Compensator Milling Tool Diameter
    300A066ASQBlockDefinitionSequence|Block Definition Sequence
    300A066BOFBlockEdgeData|Block Edge Data
    300A066CCSBlockOrientation|Block Orientation
    300A066DFDRadiationBeamBlockThickness|Radiation Beam Block Thickness
    300A066EFDRadiationBeamBlockSlabThickness|Radiation Beam Block Slab Thickness
    300A066FSQBlockEdgeDataSequence|Block Edge Data Sequence
    300A0670USNumberOfRTAccessoryHolders|Number of RT Accessory Holders
    300A0671SQGeneralAccessoryDefinitionSequence|General Accessory Definition Sequence
    300A0672USNumberOfGeneralAccessories|Number of General Accessories
    300A0673SQBolusDefinitionSequence|Bolus Definition Sequence
    300A0674USNumberOfBoluses|Number of Boluses
    300A0675UIEquipmentFrameOfReferenceUID|Equipment Frame of Reference UID
    300A0676STEquipmentFrameOfReferenceDescription|Equipment Frame of Reference Description
    300A0677SQEquipmentReferencePointCoordinatesSequence|Equipment Reference Point Coordinates Sequence
    300A0678SQEquipmentReferencePointCodeSequence|Equipment Reference Point Code Sequence
    300A0679FDRTBeamLimitingDeviceAngle|RT Beam Limiting Device Angle
    300A067AFDSourceRollAngle|Source Roll Angle
    300A067BSQRadiationGenerationModeSequence|Radiation GenerationMode Sequence
    300A067CSHRadiationGenerationModeLabel|Radiation GenerationMode Label
    300A067DSTRadiationGenerationModeDescription|Radiation GenerationMode Description
    300A067ESQRadiationGenerationModeMachineCodeSequence|Radiation GenerationMode Machine Code Sequence
    300A067FSQRadiationTypeCodeSequence|Radiation Type Code Sequence
    300A0680DSNominalEnergy|Nominal Energy
    300A0681DSMinimumNominalEnergy|Minimum Nominal Energy
    300A0682DSMaximumNominalEnergy|Maximum Nominal Energy
    300A0683SQRadiationFluenceModifierCodeSequence|Radiation Fluence Modifier Code Sequence
    300A0684SQEnergyUnitCodeSequence|Energy Unit Code Sequence
    300A0685USNumberOfRadiationGenerationModes|Number of Radiation GenerationModes
    300A0686SQPatientSupportDevicesSequence|Patient Support Devices Sequence
    300A0687USNumberOfPatientSupportDevices|Number of Patient Support Devices
    300A0688FDRTBeamModifierDefinitionDistance|RT Beam Modifier Definition Distance
    300A0689SQBeamAreaLimitSequence|Beam Area Limit Sequence
    300A068ASQReferencedRTPrescriptionSequence|Referenced RT Prescription Sequence
    300A068BCSDoseValueInterpretation|Dose Value Interpretation
    300A0700UITreatmentSessionUID|Treatment Session UID
    300A0701CSRTRadiationUsage|RT Radiation Usage
    300A0702SQReferencedRTRadiationSetSequence|Referenced RT Radiation Set Sequence
    300A0703SQReferencedRTRadiationRecordSequence|Referenced RT Radiation Record Sequence
    300A0704USRTRadiationSetDeliveryNumber|RT Radiation Set Delivery Number
    300A0705USClinicalFractionNumber|Clinical Fraction Number
    300A0706CSRTTreatmentFractionCompletionStatus|RT Treatment Fraction Completion Status
    300A0707CSRTRadiationSetUsage|RT Radiation Set Usage
    300A0708CSTreatmentDeliveryContinuationFlag|Treatment Delivery Continuation Flag
    300A0709CSTreatmentRecordContentOrigin|Treatment Record Content Origin
    300A0714CSRTTreatmentTerminationStatus|RT Treatment Termination Status
    300A0715SQRTTreatmentTerminationReasonCodeSequence|RT Treatment Termination Reason Code Sequence
    300A0716SQMachineSpecificTreatmentTerminationCodeSequence|Machine-Specific Treatment Termination Code Sequence
    300A0722SQRTRadiationSalvageRecordControlPointSequence|RT Radiation Salvage Record Control Point Sequence
    300A0723CSStartingMetersetValueKnownFlag|Starting Meterset Value Known Flag
    300A0730STTreatmentTerminationDescription|Treatment Termination Description
    300A0731SQTreatmentToleranceViolationSequence|Treatment Tolerance Violation Sequence
    300A0732CSTreatmentToleranceViolationCategory|Treatment Tolerance Violation Category
    300A0733SQTreatmentToleranceViolationAttributeSequence|Treatment Tolerance Violation Attribute Sequence
    300A0734STTreatmentToleranceViolationDescription|Treatment Tolerance Violation Description
    300A0735STTreatmentToleranceViolationIdentification|Treatment Tolerance Violation Identification
    300A0736DTTreatmentToleranceViolationDateTime|Treatment Tolerance Violation DateTime
    300A073ADTRecordedRTControlPointDateTime|Recorded RT Control Point DateTime
    300A073BUSReferencedRadiationRTControlPointIndex|Referenced Radiation RT Control Point Index
    300A073ESQAlternateValueSequence|Alternate Value Sequence
    300A073FSQConfirmationSequence|Confirmation Sequence
    300A0740SQInterlockSequence|Interlock Sequence
    300A0741DTInterlockDateTime|Interlock DateTime
    300A0742STInterlockDescription|Interlock Description
    300A0743SQInterlockOriginatingDeviceSequence|Interlock Originating Device Sequence
    300A0744SQInterlockCodeSequence|Interlock Code Sequence
    300A0745SQInterlockResolutionCodeSequence|Interlock Resolution Code Sequence
    300A0746SQInterlockResolutionUserSequence|Interlock Resolution User Sequence
    300A0760DTOverrideDateTime|Override DateTime
    300A0761SQTreatmentToleranceViolationTypeCodeSequence|Treatment Tolerance Violation Type Code Sequence
    300A0762SQTreatmentToleranceViolationCauseCodeSequence|Treatment Tolerance Violation Cause Code Sequence
    300A0772SQMeasuredMetersetToDoseMappingSequence|Measured Meterset to Dose Mapping Sequence
    300A0773USReferencedExpectedInVivoMeasurementValueIndex|Referenced Expected In-Vivo Measurement Value Index
    300A0774SQDoseMeasurementDeviceCodeSequence|Dose Measurement Device Code Sequence
    300A0780SQAdditionalParameterRecordingInstanceSequence|Additional Parameter Recording Instance Sequence
    300A0783STInterlockOriginDescription|Interlock Origin Description
    300A0784SQRTPatientPositionScopeSequence|RT Patient Position Scope Sequence
    300A0785UIReferencedTreatmentPositionGroupUID|Referenced Treatment Position Group UID
    300A0786USRadiationOrderIndex|Radiation Order Index
    300A0787SQOmittedRadiationSequence|Omitted Radiation Sequence
    300A0788SQReasonForOmissionCodeSequence|Reason for Omission Code Sequence
    300A0789SQRTDeliveryStartPatientPositionSequence|RT Delivery Start Patient Position Sequence
    300A078ASQRTTreatmentPreparationPatientPositionSequence|RT Treatment Preparation Patient Position Sequence
    300A078BSQReferencedRTTreatmentPreparationSequence|Referenced RT Treatment Preparation Sequence
    300A078CSQReferencedPatientSetupPhotoSequence|Referenced Patient Setup Photo Sequence
    300A078DSQPatientTreatmentPreparationMethodCodeSequence|Patient Treatment Preparation Method Code Sequence
    300A078ELTPatientTreatmentPreparationProcedureParameterDescription|Patient Treatment Preparation Procedure Parameter Description
    300A078FSQPatientTreatmentPreparationDeviceSequence|Patient Treatment Preparation Device Sequence
    300A0790SQPatientTreatmentPreparationProcedureSequence|Patient Treatment Preparation Procedure Sequence
    300A0791SQPatientTreatmentPreparationProcedureCodeSequence|Patient Treatment Preparation Procedure Code Sequence
    300A0792LTPatientTreatmentPreparationMethodDescription|Patient Treatment Preparation Method Description
    300A0793SQPatientTreatmentPreparationProcedureParameterSequence|Patient Treatment Preparation Procedure Parameter Sequence
    300A0794LTPatientSetupPhotoDescription|Patient Setup Photo Description
    300A0795USPatientTreatmentPreparationProcedureIndex|Patient Treatment Preparation Procedure Index
    300A0796USReferencedPatientSetupProcedureIndex|Referenced Patient Setup Procedure Index
    300A0797SQRTRadiationTaskSequence|RT Radiation Task Sequence
    300A0798SQRTPatientPositionDisplacementSequence|RT Patient Position Displacement Sequence
    300A0799SQRTPatientPositionSequence|RT Patient Position Sequence
    300A079ALODisplacementReferenceLabel|Displacement Reference Label
    300A079BFDDisplacementMatrix|Displacement Matrix
    300A079CSQPatientSupportDisplacementSequence|Patient Support Displacement Sequence
    300A079DSQDisplacementReferenceLocationCodeSequence|Displacement Reference Location Code Sequence
    300A079ECSRTRadiationSetDeliveryUsage|RT Radiation Set Delivery Usage
    300A079FSQPatientTreatmentPreparationSequence|Patient Treatment Preparation Sequence
    300A07A0SQPatientToEquipmentRelationshipSequence|Patient to Equipment Relationship Sequence
    300A07A1SQImagingEquipmentToTreatmentDeliveryDeviceRelationshipSequence|Imaging Equipment to Treatment Delivery Device Relationship Sequence
    300C0002SQReferencedRTPlanSequence|Referenced RT Plan Sequence
    300C0004SQReferencedBeamSequence|Referenced Beam Sequence
    300C0006ISReferencedBeamNumber|Referenced Beam Number
    300C0007ISReferencedReferenceImageNumber|Referenced Reference Image Number
    300C0008DSStartCumulativeMetersetWeight|Start Cumulative Meterset Weight
    300C0009DSEndCumulativeMetersetWeight|End Cumulative Meterset Weight
    300C000ASQReferencedBrachyApplicationSetupSequence|Referenced Brachy Application Setup Sequence
    300C000CISReferencedBrachyApplicationSetupNumber|Referenced Brachy Application Setup Number
    300C000EISReferencedSourceNumber|Referenced Source Number
    300C0020SQReferencedFractionGroupSequence|Referenced Fraction Group Sequence
    300C0022ISReferencedFractionGroupNumber|Referenced Fraction Group Number
    300C0040SQReferencedVerificationImageSequence|Referenced Verification Image Sequence
    300C0042SQReferencedReferenceImageSequence|Referenced Reference Image Sequence
    300C0050SQReferencedDoseReferenceSequence|Referenced Dose Reference Sequence
    300C0051ISReferencedDoseReferenceNumber|Referenced Dose Reference Number
    300C0055SQBrachyReferencedDoseReferenceSequence|Brachy Referenced Dose Reference Sequence
    300C0060SQReferencedStructureSetSequence|Referenced Structure Set Sequence
    300C006AISReferencedPatientSetupNumber|Referenced Patient Setup Number
    300C0080SQReferencedDoseSequence|Referenced Dose Sequence
    300C00A0ISReferencedToleranceTableNumber|Referenced Tolerance Table Number
    300C00B0SQReferencedBolusSequence|Referenced Bolus Sequence
    300C00C0ISReferencedWedgeNumber|Referenced Wedge Number
    300C00D0ISReferencedCompensatorNumber|Referenced Compensator Number
    300C00E0ISReferencedBlockNumber|Referenced Block Number
    300C00F0ISReferencedControlPointIndex|Referenced Control Point Index
    300C00F2SQReferencedControlPointSequence|Referenced Control Point Sequence
    300C00F4ISReferencedStartControlPointIndex|Referenced Start Control Point Index
    300C00F6ISReferencedStopControlPointIndex|Referenced Stop Control Point Index
    300C0100ISReferencedRangeShifterNumber|Referenced Range Shifter Number
    300C0102ISReferencedLateralSpreadingDeviceNumber|Referenced Lateral Spreading Device Number
    300C0104ISReferencedRangeModulatorNumber|Referenced Range Modulator Number
    300C0111SQOmittedBeamTaskSequence|Omitted Beam Task Sequence
    300C0112CSReasonForOmission|Reason for Omission
    300C0113LOReasonForOmissionDescription|Reason for Omission Description
    300C0114SQPrescriptionOverviewSequence|Prescription Overview Sequence
    300C0115FLTotalPrescriptionDose|Total Prescription Dose
    300C0116SQPlanOverviewSequence|Plan Overview Sequence
    300C0117USPlanOverviewIndex|Plan Overview Index
    300C0118USReferencedPlanOverviewIndex|Referenced Plan Overview Index
    300C0119USNumberOfFractionsIncluded|Number of Fractions Included
    300C0120SQDoseCalibrationConditionsSequence|Dose Calibration Conditions Sequence
    300C0121FDAbsorbedDoseToMetersetRatio|Absorbed Dose to Meterset Ratio
    300C0122FDDelineatedRadiationFieldSize|Delineated Radiation Field Size
    300C0123CSDoseCalibrationConditionsVerifiedFlag|Dose Calibration Conditions Verified Flag
    300C0124FDCalibrationReferencePointDepth|Calibration Reference Point Depth
    300C0125SQGatingBeamHoldTransitionSequence|Gating Beam Hold Transition Sequence
    300C0126CSBeamHoldTransition|Beam Hold Transition
    300C0127DTBeamHoldTransitionDateTime|Beam Hold Transition DateTime
    300C0128SQBeamHoldOriginatingDeviceSequence|Beam Hold Originating Device Sequence
    300C0129CSBeamHoldTransitionTriggerSource|Beam Hold Transition Trigger Source
    300E0002CSApprovalStatus|Approval Status
    300E0004DAReviewDate|Review Date
    300E0005TMReviewTime|Review Time
    300E0008PNReviewerName|Reviewer Name
    30100001SQRadiobiologicalDoseEffectSequence|Radiobiological Dose Effect Sequence
    30100002CSRadiobiologicalDoseEffectFlag|Radiobiological Dose Effect Flag
    30100003SQEffectiveDoseCalculationMethodCategoryCodeSequence|Effective Dose Calculation Method Category Code Sequence
    30100004SQEffectiveDoseCalculationMethodCodeSequence|Effective Dose Calculation Method Code Sequence
    30100005LOEffectiveDoseCalculationMethodDescription|Effective Dose Calculation Method Description
    30100006UIConceptualVolumeUID|Conceptual Volume UID
    30100007SQOriginatingSOPInstanceReferenceSequence|Originating SOP Instance Reference Sequence
    30100008SQConceptualVolumeConstituentSequence|Conceptual Volume Constituent Sequence
    30100009SQEquivalentConceptualVolumeInstanceReferenceSequence|Equivalent Conceptual Volume Instance Reference Sequence
    3010000ASQEquivalentConceptualVolumesSequence|Equivalent Conceptual Volumes Sequence
    3010000BUIReferencedConceptualVolumeUID|Referenced Conceptual Volume UID
    3010000CUTConceptualVolumeCombinationExpression|Conceptual Volume Combination Expression
    3010000DUSConceptualVolumeConstituentIndex|Conceptual Volume Constituent Index
    3010000ECSConceptualVolumeCombinationFlag|Conceptual Volume Combination Flag
    3010000FSTConceptualVolumeCombinationDescription|Conceptual Volume Combination Description
    30100010CSConceptualVolumeSegmentationDefinedFlag|Conceptual Volume Segmentation Defined Flag
    30100011SQConceptualVolumeSegmentationReferenceSequence|Conceptual Volume Segmentation Reference Sequence
    30100012SQConceptualVolumeConstituentSegmentationReferenceSequence|Conceptual Volume Constituent Segmentation Reference Sequence
    30100013UIConstituentConceptualVolumeUID|Constituent Conceptual Volume UID
    30100014SQDerivationConceptualVolumeSequence|Derivation Conceptual Volume Sequence
    30100015UISourceConceptualVolumeUID|Source Conceptual Volume UID
    30100016SQConceptualVolumeDerivationAlgorithmSequence|Conceptual Volume Derivation Algorithm Sequence
    30100017STConceptualVolumeDescription|Conceptual Volume Description
    30100018SQSourceConceptualVolumeSequence|Source Conceptual Volume Sequence
    30100019SQAuthorIdentificationSequence|Author Identification Sequence
    3010001ALOManufacturerModelVersion|Manufacturer's Model Version
    3010001BUCDeviceAlternateIdentifier|Device Alternate Identifier
    3010001CCSDeviceAlternateIdentifierType|Device Alternate Identifier Type
    3010001DLTDeviceAlternateIdentifierFormat|Device Alternate Identifier Format
    3010001ELOSegmentationCreationTemplateLabel|Segmentation Creation Template Label
    3010001FUISegmentationTemplateUID|Segmentation Template UID
    30100020USReferencedSegmentReferenceIndex|Referenced Segment Reference Index
    30100021SQSegmentReferenceSequence|Segment Reference Sequence
    30100022USSegmentReferenceIndex|Segment Reference Index
    30100023SQDirectSegmentReferenceSequence|Direct Segment Reference Sequence
    30100024SQCombinationSegmentReferenceSequence|Combination Segment Reference Sequence
    30100025SQConceptualVolumeSequence|Conceptual Volume Sequence
    30100026SQSegmentedRTAccessoryDeviceSequence|Segmented RT Accessory Device Sequence
    30100027SQSegmentCharacteristicsSequence|Segment Characteristics Sequence
    30100028SQRelatedSegmentCharacteristicsSequence|Related Segment Characteristics Sequence
    30100029USSegmentCharacteristicsPrecedence|Segment Characteristics Precedence
    3010002ASQRTSegmentAnnotationSequence|RT Segment Annotation Sequence
    3010002BSQSegmentAnnotationCategoryCodeSequence|Segment Annotation Category Code Sequence
    3010002CSQSegmentAnnotationTypeCodeSequence|Segment Annotation Type Code Sequence
    3010002DLODeviceLabel|Device Label
    3010002ESQDeviceTypeCodeSequence|Device Type Code Sequence
    3010002FSQSegmentAnnotationTypeModifierCodeSequence|Segment Annotation Type Modifier Code Sequence
    30100030SQPatientEquipmentRelationshipCodeSequence|Patient Equipment Relationship Code Sequence
    30100031UIReferencedFiducialsUID|Referenced Fiducials UID
    30100032SQPatientTreatmentOrientationSequence|Patient Treatment Orientation Sequence
    30100033SHUserContentLabel|User Content Label
    30100034LOUserContentLongLabel|User Content Long Label
    30100035SHEntityLabel|Entity Label
    30100036LOEntityName|Entity Name
    30100037STEntityDescription|Entity Description
    30100038LOEntityLongLabel|Entity Long Label
    30100039USDeviceIndex|Device Index
    3010003AUSRTTreatmentPhaseIndex|RT Treatment Phase Index
    3010003BUIRTTreatmentPhaseUID|RT Treatment Phase UID
    3010003CUSRTPrescriptionIndex|RT Prescription Index
    3010003DUSRTSegmentAnnotationIndex|RT Segment Annotation Index
    3010003EUSBasisRTTreatmentPhaseIndex|Basis RT Treatment Phase Index
    3010003FUSRelatedRTTreatmentPhaseIndex|Related RT Treatment Phase Index
    30100040USReferencedRTTreatmentPhaseIndex|Referenced RT Treatment Phase Index
    30100041USReferencedRTPrescriptionIndex|Referenced RT Prescription Index
    30100042USReferencedParentRTPrescriptionIndex|Referenced Parent RT Prescription Index
    30100043STManufacturerDeviceIdentifier|Manufacturer's Device Identifier
    30100044SQInstanceLevelReferencedPerformedProcedureStepSequence|Instance-Level Referenced Performed Procedure Step Sequence
    30100045CSRTTreatmentPhaseIntentPresenceFlag|RT Treatment Phase Intent Presence Flag
    30100046CSRadiotherapyTreatmentType|Radiotherapy Treatment Type
    30100047CSTeletherapyRadiationType|Teletherapy Radiation Type
    30100048CSBrachytherapySourceType|Brachytherapy Source Type
    30100049SQReferencedRTTreatmentPhaseSequence|Referenced RT Treatment Phase Sequence
    3010004ASQReferencedDirectSegmentInstanceSequence|Referenced Direct Segment Instance Sequence
    3010004BSQIntendedRTTreatmentPhaseSequence|Intended RT Treatment Phase Sequence
    3010004CDAIntendedPhaseStartDate|Intended Phase Start Date
    3010004DDAIntendedPhaseEndDate|Intended Phase End Date
    3010004ESQRTTreatmentPhaseIntervalSequence|RT Treatment Phase Interval Sequence
    3010004FCSTemporalRelationshipIntervalAnchor|Temporal Relationship Interval Anchor
    30100050FDMinimumNumberOfIntervalDays|Minimum Number of Interval Days
    30100051FDMaximumNumberOfIntervalDays|Maximum Number of Interval Days
    30100052UIPertinentSOPClassesInStudy|Pertinent SOP Classes in Study
    30100053UIPertinentSOPClassesInSeries|Pertinent SOP Classes in Series
    30100054LORTPrescriptionLabel|RT Prescription Label
    30100055SQRTPhysicianIntentPredecessorSequence|RT Physician Intent Predecessor Sequence
    30100056LORTTreatmentApproachLabel|RT Treatment Approach Label
    30100057SQRTPhysicianIntentSequence|RT Physician Intent Sequence
    30100058USRTPhysicianIntentIndex|RT Physician Intent Index
    30100059CSRTTreatmentIntentType|RT Treatment Intent Type
    3010005AUTRTPhysicianIntentNarrative|RT Physician Intent Narrative
    3010005BSQRTProtocolCodeSequence|RT Protocol Code Sequence
    3010005CSTReasonForSuperseding|Reason for Superseding
    3010005DSQRTDiagnosisCodeSequence|RT Diagnosis Code Sequence
    3010005EUSReferencedRTPhysicianIntentIndex|Referenced RT Physician Intent Index
    3010005FSQRTPhysicianIntentInputInstanceSequence|RT Physician Intent Input Instance Sequence
    30100060SQRTAnatomicPrescriptionSequence|RT Anatomic Prescription Sequence
    30100061UTPriorTreatmentDoseDescription|Prior Treatment Dose Description
    30100062SQPriorTreatmentReferenceSequence|Prior Treatment Reference Sequence
    30100063CSDosimetricObjectiveEvaluationScope|Dosimetric Objective Evaluation Scope
    30100064SQTherapeuticRoleCategoryCodeSequence|Therapeutic Role Category Code Sequence
    30100065SQTherapeuticRoleTypeCodeSequence|Therapeutic Role Type Code Sequence
    30100066USConceptualVolumeOptimizationPrecedence|Conceptual Volume Optimization Precedence
    30100067SQConceptualVolumeCategoryCodeSequence|Conceptual Volume Category Code Sequence
    30100068CSConceptualVolumeBlockingConstraint|Conceptual Volume Blocking Constraint
    30100069SQConceptualVolumeTypeCodeSequence|Conceptual Volume Type Code Sequence
    3010006ASQConceptualVolumeTypeModifierCodeSequence|Conceptual Volume Type Modifier Code Sequence
    3010006BSQRTPrescriptionSequence|RT Prescription Sequence
    3010006CSQDosimetricObjectiveSequence|Dosimetric Objective Sequence
    3010006DSQDosimetricObjectiveTypeCodeSequence|Dosimetric Objective Type Code Sequence
    3010006EUIDosimetricObjectiveUID|Dosimetric Objective UID
    3010006FUIReferencedDosimetricObjectiveUID|Referenced Dosimetric Objective UID
    30100070SQDosimetricObjectiveParameterSequence|Dosimetric Objective Parameter Sequence
    30100071SQReferencedDosimetricObjectivesSequence|Referenced Dosimetric Objectives Sequence
    30100073CSAbsoluteDosimetricObjectiveFlag|Absolute Dosimetric Objective Flag
    30100074FDDosimetricObjectiveWeight|Dosimetric Objective Weight
    30100075CSDosimetricObjectivePurpose|Dosimetric Objective Purpose
    30100076SQPlanningInputInformationSequence|Planning Input Information Sequence
    30100077LOTreatmentSite|Treatment Site
    30100078SQTreatmentSiteCodeSequence|Treatment Site Code Sequence
    30100079SQFractionPatternSequence|Fraction Pattern Sequence
    3010007AUTTreatmentTechniqueNotes|Treatment Technique Notes
    3010007BUTPrescriptionNotes|Prescription Notes
    3010007CISNumberOfIntervalFractions|Number of Interval Fractions
    3010007DUSNumberOfFractions|Number of Fractions
    3010007EUSIntendedDeliveryDuration|Intended Delivery Duration
    3010007FUTFractionationNotes|Fractionation Notes
    30100080SQRTTreatmentTechniqueCodeSequence|RT Treatment Technique Code Sequence
    30100081SQPrescriptionNotesSequence|Prescription Notes Sequence
    30100082SQFractionBasedRelationshipSequence|Fraction-Based Relationship Sequence
    30100083CSFractionBasedRelationshipIntervalAnchor|Fraction-Based Relationship Interval Anchor
    30100084FDMinimumHoursBetweenFractions|Minimum Hours between Fractions
    30100085TMIntendedFractionStartTime|Intended Fraction Start Time
    30100086LTIntendedStartDayOfWeek|Intended Start Day of Week
    30100087SQWeekdayFractionPatternSequence|Weekday Fraction Pattern Sequence
    30100088SQDeliveryTimeStructureCodeSequence|Delivery Time Structure Code Sequence
    30100089SQTreatmentSiteModifierCodeSequence|Treatment Site Modifier Code Sequence
    30100090CSRoboticBaseLocationIndicator|Robotic Base Location Indicator
    30100091SQRoboticPathNodeSetCodeSequence|Robotic Path Node Set Code Sequence
    30100092ULRoboticNodeIdentifier|Robotic Node Identifier
    30100093FDRTTreatmentSourceCoordinates|RT Treatment Source Coordinates
    30100094FDRadiationSourceCoordinateSystemYawAngle|Radiation Source Coordinate SystemYaw Angle
    30100095FDRadiationSourceCoordinateSystemRollAngle|Radiation Source Coordinate SystemRoll Angle
    30100096FDRadiationSourceCoordinateSystemPitchAngle|Radiation Source Coordinate System Pitch Angle
    30100097SQRoboticPathControlPointSequence|Robotic Path Control Point Sequence
    30100098SQTomotherapeuticControlPointSequence|Tomotherapeutic Control Point Sequence
    30100099FDTomotherapeuticLeafOpenDurations|Tomotherapeutic Leaf Open Durations
    3010009AFDTomotherapeuticLeafInitialClosedDurations|Tomotherapeutic Leaf Initial Closed Durations
    301000A0SQConceptualVolumeIdentificationSequence|Conceptual Volume Identification Sequence
    40000010LTArbitrary|Arbitrary
    40004000LTTextComments|Text Comments
    40080040SHResultsID|Results ID
    40080042LOResultsIDIssuer|Results ID Issuer
    40080050SQReferencedInterpretationSequence|Referenced Interpretation Sequence
    400800FFCSReportProductionStatusTrial|Report Production Status (Trial)
    40080100DAInterpretationRecordedDate|Interpretation Recorded Date
    40080101TMInterpretationRecordedTime|Interpretation Recorded Time
    40080102PNInterpretationRecorder|Interpretation Recorder
    40080103LOReferenceToRecordedSound|Reference to Recorded Sound
    40080108DAInterpretationTranscriptionDate|Interpretation Transcription Date
    40080109TMInterpretationTranscriptionTime|Interpretation Transcription Time
    4008010APNInterpretationTranscriber|Interpretation Transcriber
    4008010BSTInterpretationText|Interpretation Text
    4008010CPNInterpretationAuthor|Interpretation Author
    40080111SQInterpretationApproverSequence|Interpretation Approver Sequence
    40080112DAInterpretationApprovalDate|Interpretation Approval Date
    40080113TMInterpretationApprovalTime|Interpretation Approval Time
    40080114PNPhysicianApprovingInterpretation|Physician Approving Interpretation
    40080115LTInterpretationDiagnosisDescription|Interpretation Diagnosis Description
    40080117SQInterpretationDiagnosisCodeSequence|Interpretation Diagnosis Code Sequence
    40080118SQResultsDistributionListSequence|Results Distribution List Sequence
    40080119PNDistributionName|Distribution Name
    4008011ALODistributionAddress|Distribution Address
    40080200SHInterpretationID|Interpretation ID
    40080202LOInterpretationIDIssuer|Interpretation ID Issuer
    40080210CSInterpretationTypeID|Interpretation Type ID
    40080212CSInterpretationStatusID|Interpretation Status ID
    40080300STImpressions|Impressions
    40084000STResultsComments|Results Comments
    40100001CSLowEnergyDetectors|Low Energy Detectors
    40100002CSHighEnergyDetectors|High Energy Detectors
    40100004SQDetectorGeometrySequence|Detector Geometry Sequence
    40101001SQThreatROIVoxelSequence|Threat ROI Voxel Sequence
    40101004FLThreatROIBase|Threat ROI Base
    40101005FLThreatROIExtents|Threat ROI Extents
    40101006OBThreatROIBitmap|Threat ROI Bitmap
    40101007SHRouteSegmentID|Route Segment ID
    40101008CSGantryType|Gantry Type
    40101009CSOOIOwnerType|OOI Owner Type
    4010100ASQRouteSegmentSequence|Route Segment Sequence
    40101010USPotentialThreatObjectID|Potential Threat Object ID
    40101011SQThreatSequence|Threat Sequence
    40101012CSThreatCategory|Threat Category
    40101013LTThreatCategoryDescription|Threat Category Description
    40101014CSATDAbilityAssessment|ATD Ability Assessment
    40101015CSATDAssessmentFlag|ATD Assessment Flag
    40101016FLATDAssessmentProbability|ATD Assessment Probability
    40101017FLMass|Mass
    40101018FLDensity|Density
    40101019FLZEffective|Z Effective
    4010101ASHBoardingPassID|Boarding Pass ID
    4010101BFLCenterOfMass|Center of Mass
    4010101CFLCenterOfPTO|Center of PTO
    4010101DFLBoundingPolygon|Bounding Polygon
    4010101ESHRouteSegmentStartLocationID|Route Segment Start Location ID
    4010101FSHRouteSegmentEndLocationID|Route Segment End Location ID
    40101020CSRouteSegmentLocationIDType|Route Segment Location ID Type
    40101021CSAbortReason|Abort Reason
    40101023FLVolumeOfPTO|Volume of PTO
    40101024CSAbortFlag|Abort Flag
    40101025DTRouteSegmentStartTime|Route Segment Start Time
    40101026DTRouteSegmentEndTime|Route Segment End Time
    40101027CSTDRType|TDR Type
    40101028CSInternationalRouteSegment|International Route Segment
    40101029LOThreatDetectionAlgorithmAndVersion|Threat Detection Algorithm and Version
    4010102ASHAssignedLocation|Assigned Location
    4010102BDTAlarmDecisionTime|Alarm Decision Time
    40101031CSAlarmDecision|Alarm Decision
    40101033USNumberOfTotalObjects|Number of Total Objects
    40101034USNumberOfAlarmObjects|Number of Alarm Objects
    40101037SQPTORepresentationSequence|PTO Representation Sequence
    40101038SQATDAssessmentSequence|ATD Assessment Sequence
    40101039CSTIPType|TIP Type
    4010103ACSDICOSVersion|DICOS Version
    40101041DTOOIOwnerCreationTime|OOI Owner Creation Time
    40101042CSOOIType|OOI Type
    40101043FLOOISize|OOI Size
    40101044CSAcquisitionStatus|Acquisition Status
    40101045SQBasisMaterialsCodeSequence|Basis Materials Code Sequence
    40101046CSPhantomType|Phantom Type
    40101047SQOOIOwnerSequence|OOI Owner Sequence
    40101048CSScanType|Scan Type
    40101051LOItineraryID|Itinerary ID
    40101052SHItineraryIDType|Itinerary ID Type
    40101053LOItineraryIDAssigningAuthority|Itinerary ID Assigning Authority
    40101054SHRouteID|Route ID
    40101055SHRouteIDAssigningAuthority|Route ID Assigning Authority
    40101056CSInboundArrivalType|Inbound Arrival Type
    40101058SHCarrierID|Carrier ID
    40101059CSCarrierIDAssigningAuthority|Carrier ID Assigning Authority
    40101060FLSourceOrientation|Source Orientation
    40101061FLSourcePosition|Source Position
    40101062FLBeltHeight|Belt Height
    40101064SQAlgorithmRoutingCodeSequence|Algorithm Routing Code Sequence
    40101067CSTransportClassification|Transport Classification
    40101068LTOOITypeDescriptor|OOI Type Descriptor
    40101069FLTotalProcessingTime|Total Processing Time
    4010106COBDetectorCalibrationData|Detector Calibration Data
    4010106DCSAdditionalScreeningPerformed|Additional Screening Performed
    4010106ECSAdditionalInspectionSelectionCriteria|Additional Inspection Selection Criteria
    4010106FSQAdditionalInspectionMethodSequence|Additional Inspection Method Sequence
    40101070CSAITDeviceType|AIT Device Type
    40101071SQQRMeasurementsSequence|QR Measurements Sequence
    40101072SQTargetMaterialSequence|Target Material Sequence
    40101073FDSNRThreshold|SNR Threshold
    40101075DSImageScaleRepresentation|Image Scale Representation
    40101076SQReferencedPTOSequence|Referenced PTO Sequence
    40101077SQReferencedTDRInstanceSequence|Referenced TDR Instance Sequence
    40101078STPTOLocationDescription|PTO Location Description
    40101079SQAnomalyLocatorIndicatorSequence|Anomaly Locator Indicator Sequence
    4010107AFLAnomalyLocatorIndicator|Anomaly Locator Indicator
    4010107BSQPTORegionSequence|PTO Region Sequence
    4010107CCSInspectionSelectionCriteria|Inspection Selection Criteria
    4010107DSQSecondaryInspectionMethodSequence|Secondary Inspection Method Sequence
    4010107EDSPRCSToRCSOrientation|PRCS to RCS Orientation
    4FFE0001SQMACParametersSequence|MAC Parameters Sequence
    52009229SQSharedFunctionalGroupsSequence|Shared Functional Groups Sequence
    52009230SQPerFrameFunctionalGroupsSequence|Per-Frame Functional Groups Sequence
    54000100SQWaveformSequence|Waveform Sequence
    54000110OWChannelMinimumValue|Channel Minimum Value
    54000112OWChannelMaximumValue|Channel Maximum Value
    54001004USWaveformBitsAllocated|Waveform Bits Allocated
    54001006CSWaveformSampleInterpretation|Waveform Sample Interpretation
    5400100AOWWaveformPaddingValue|Waveform Padding Value
    54001010OWWaveformData|Waveform Data
    56000010OFFirstOrderPhaseCorrectionAngle|First Order Phase Correction Angle
    56000020OFSpectroscopyData|Spectroscopy Data
    7FE00001OVExtendedOffsetTable|Extended Offset Table
    7FE00002OVExtendedOffsetTableLengths|Extended Offset Table Lengths
    7FE00003UVEncapsulatedPixelDataValueTotalLength|Encapsulated Pixel Data Value Total Length
    7FE00008OFFloatPixelData|Float Pixel Data
    7FE00009ODDoubleFloatPixelData|Double Float Pixel Data
    7FE00010OWPixelData|Pixel Data
    7FE00020OWCoefficientsSDVN|Coefficients SDVN
    7FE00030OWCoefficientsSDHN|Coefficients SDHN
    7FE00040OWCoefficientsSDDN|Coefficients SDDN
    FFFAFFFASQDigitalSignaturesSequence|Digital Signatures Sequence
    FFFCFFFCOBDataSetTrailingPadding|Data Set Trailing Padding
    FFFEE000UNItem|Item
    FFFEE00DUNItemDelimitationItem|Item Delimitation Item
    FFFEE0DDUNSequenceDelimitationItem|Sequence Delimitation Item
    """

/// The same for the repeating groups 50xx and 60xx, listed by their first group.
let repeatingGroupTable: StaticString = """
    50000005USCurveDimensions|Curve Dimensions
    50000010USNumberOfPoints|Number of Points
    50000020CSTypeOfData|Type of Data
    50000022LOCurveDescription|Curve Description
    50000030SHAxisUnits|Axis Units
    50000040SHAxisLabels|Axis Labels
    50000103USDataValueRepresentation|Data Value Representation
    50000104USMinimumCoordinateValue|Minimum Coordinate Value
    50000105USMaximumCoordinateValue|Maximum Coordinate Value
    50000106SHCurveRange|Curve Range
    50000110USCurveDataDescriptor|Curve Data Descriptor
    50000112USCoordinateStartValue|Coordinate Start Value
    50000114USCoordinateStepValue|Coordinate Step Value
    50001001CSCurveActivationLayer|Curve Activation Layer
    50002000USAudioType|Audio Type
    50002002USAudioSampleFormat|Audio Sample Format
    50002004USNumberOfChannels|Number of Channels
    50002006ULNumberOfSamples|Number of Samples
    50002008ULSampleRate|Sample Rate
    5000200AULTotalTime|Total Time
    5000200COWAudioSampleData|Audio Sample Data
    5000200ELTAudioComments|Audio Comments
    50002500LOCurveLabel|Curve Label
    50002600SQCurveReferencedOverlaySequence|Curve Referenced Overlay Sequence
    50002610USCurveReferencedOverlayGroup|Curve Referenced Overlay Group
    50003000OWCurveData|Curve Data
    60000010USOverlayRows|Overlay Rows
    60000011USOverlayColumns|Overlay Columns
    60000012USOverlayPlanes|Overlay Planes
    60000015ISNumberOfFramesInOverlay|Number of Frames in Overlay
    60000022LOOverlayDescription|Overlay Description
    60000040CSOverlayType|Overlay Type
    60000045LOOverlaySubtype|Overlay Subtype
    60000050SSOverlayOrigin|Overlay Origin
    60000051USImageFrameOrigin|Image Frame Origin
    60000052USOverlayPlaneOrigin|Overlay Plane Origin
    60000060CSOverlayCompressionCode|Overlay Compression Code
    60000061SHOverlayCompressionOriginator|Overlay Compression Originator
    60000062SHOverlayCompressionLabel|Overlay Compression Label
    60000063CSOverlayCompressionDescription|Overlay Compression Description
    60000066ATOverlayCompressionStepPointers|Overlay Compression Step Pointers
    60000068USOverlayRepeatInterval|Overlay Repeat Interval
    60000069USOverlayBitsGrouped|Overlay Bits Grouped
    60000100USOverlayBitsAllocated|Overlay Bits Allocated
    60000102USOverlayBitPosition|Overlay Bit Position
    60000110CSOverlayFormat|Overlay Format
    60000200USOverlayLocation|Overlay Location
    60000800CSOverlayCodeLabel|Overlay Code Label
    60000802USOverlayNumberOfTables|Overlay Number of Tables
    60000803ATOverlayCodeTableLocation|Overlay Code Table Location
    60000804USOverlayBitsForCodeWord|Overlay Bits For Code Word
    60001001CSOverlayActivationLayer|Overlay Activation Layer
    60001100USOverlayDescriptorGray|Overlay Descriptor - Gray
    60001101USOverlayDescriptorRed|Overlay Descriptor - Red
    60001102USOverlayDescriptorGreen|Overlay Descriptor - Green
    60001103USOverlayDescriptorBlue|Overlay Descriptor - Blue
    60001200USOverlaysGray|Overlays - Gray
    60001201USOverlaysRed|Overlays - Red
    60001202USOverlaysGreen|Overlays - Green
    60001203USOverlaysBlue|Overlays - Blue
    60001301ISROIArea|ROI Area
    60001302DSROIMean|ROI Mean
    60001303DSROIStandardDeviation|ROI Standard Deviation
    60001500LOOverlayLabel|Overlay Label
    60003000OWOverlayData|Overlay Data
    60004000LTOverlayComments|Overlay Comments
    7F000010OWVariablePixelData|Variable Pixel Data
    7F000011USVariableNextDataGroup|Variable Next Data Group
    7F000020OWVariableCoefficientsSDVN|Variable Coefficients SDVN
    7F000030OWVariableCoefficientsSDHN|Variable Coefficients SDHN
    7F000040OWVariableCoefficientsSDDN|Variable Coefficients SDDN
    """
