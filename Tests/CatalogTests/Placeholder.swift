enum PlaceholderCatalogTests {}
