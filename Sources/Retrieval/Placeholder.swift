enum PlaceholderRetrieval {}
