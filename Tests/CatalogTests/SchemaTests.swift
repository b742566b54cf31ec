// The schema as it stands after all steps: a change here is a new step, never an edit of an old one.

import Catalog
import GRDB
import Testing

@Suite("Schema")
struct SchemaSnapshot {
    @Test("tables, columns, indexes and triggers are those written down here")
    func snapshot() throws {
        let scratch = try Scratch()
        try scratch.catalog().close()
        let queue = try DatabaseQueue(path: scratch.path + "/catalog.sqlite")
        let lines = try queue.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT type, name, tbl_name FROM sqlite_master
                    WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '%\\_text\\__%' ESCAPE '\\'
                        OR name LIKE '%text_added' OR name LIKE '%text_changed' OR name LIKE '%text_removed'
                    ORDER BY type DESC, name
                    """
            ).map { row in
                let (type, name, table): (String, String, String) = (row[0], row[1], row[2])
                let columns =
                    switch type {
                    case "table": try db.columns(in: name).map(\.name).joined(separator: " ")
                    case "index":
                        try db.indexes(on: table).filter { $0.name == name }.flatMap(\.columns).joined(separator: " ")
                    default: table
                    }
                return "\(type) \(name): \(columns)"
            }
        }
        #expect(lines.joined(separator: "\n") == Self.expected)
    }

    @Test("every attribute has its column, and its key where it has one")
    func columns() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1")])
        for level in QueryLevel.allCases {
            let values = try #require(try catalog.find(Query(level: level)).first?.values)
            for attribute in Attribute.table where attribute.level <= level && attribute.sequence == nil {
                #expect(values[attribute.tag] != nil)
            }
        }
    }

    static let expected = """
        trigger instance_removed: instance
        trigger patient_added: patient
        trigger patient_removed: patient
        trigger patient_text_added: patient
        trigger patient_text_changed: patient
        trigger patient_text_removed: patient
        trigger series_added: series
        trigger series_counted: series
        trigger series_removed: series
        trigger study_added: study
        trigger study_counted: study
        trigger study_moved: study
        trigger study_removed: study
        trigger study_text_added: study
        trigger study_text_changed: study
        trigger study_text_removed: study
        table change: seq kind studyUID seriesUID instances at
        table claim: id series hash patientID issuerOfPatientID body
        table correction: studyUID revision naming correctedAt isByHand attributes
        table erasure: id uid volume entryOffset bodyOffset length begunAt
        table instance: id uid series claim sopClassUID transferSyntaxUID instanceNumber contentDate contentTime \
        acquisitionDate acquisitionTime acquisitionDateTime rows columns bitsAllocated numberOfFrames \
        photometricInterpretation imageType volume entryOffset bodyOffset length dataSetOffset digest receivedAt \
        source flaws chosen
        table patient: id patientID issuerOfPatientID loneStudyUID receivedAt volume entryOffset studies series \
        instances bytes patientName patientNameKey patientBirthDate patientBirthTime patientSex otherPatientIDs \
        ethnicGroup patientComments
        table patient_text: patientNameKey patientID
        table projection: id correctedThrough
        table secondary: id uid studyUID seriesUID volume entryOffset bodyOffset length dataSetOffset digest \
        receivedAt source flaws facts settled
        table series: id uid study receivedAt volume entryOffset claim instances bytes modality seriesNumber \
        seriesDescription seriesDate seriesTime bodyPartExamined protocolName laterality patientPosition \
        manufacturer manufacturerModelName stationName institutionName institutionalDepartmentName \
        performingPhysicianName performingPhysicianNameKey operatorsName operatorsNameKey \
        performedProcedureStepStartDate performedProcedureStepStartTime frameOfReferenceUID \
        scheduledProcedureStepID requestedProcedureID
        table study: id uid patient receivedAt volume entryOffset series instances bytes modalities sopClasses \
        flaws studyDate studyTime studyTimeKey accessionNumber studyID studyDescription referringPhysicianName \
        referringPhysicianNameKey nameOfPhysiciansReadingStudy nameOfPhysiciansReadingStudyKey \
        admittingDiagnosesDescription patientAge patientSize patientWeight occupation additionalPatientHistory \
        timezoneOffsetFromUTC
        table study_text: accessionNumber studyDescription referringPhysicianNameKey
        table total: id patients studies series instances bytes
        table volume: number enrolledTo
        index claim_by_series: series hash
        index instance_by_place: volume entryOffset
        index instance_by_series: series instanceNumber
        index patient_by_birth: patientBirthDate
        index patient_by_name: patientNameKey id
        index secondary_by_place: volume entryOffset
        index secondary_by_study: studyUID
        index secondary_by_uid: uid
        index series_by_study: study seriesNumber
        index study_by_accession: accessionNumber
        index study_by_date: studyDate studyTimeKey id patient modalities
        index study_by_patient: patient
        index study_by_study_id: studyID
        """
}
