enum PlaceholderDICOMNetworkTests {}
