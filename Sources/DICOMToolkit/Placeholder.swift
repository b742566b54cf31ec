enum PlaceholderDICOMToolkit {}
