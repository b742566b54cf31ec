enum PlaceholderDIMSEServer {}
