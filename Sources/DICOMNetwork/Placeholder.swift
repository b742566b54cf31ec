enum PlaceholderDICOMNetwork {}
