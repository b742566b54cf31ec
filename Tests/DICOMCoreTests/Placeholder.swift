enum PlaceholderDICOMCoreTests {}
