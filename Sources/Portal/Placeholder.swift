import Hummingbird
enum PlaceholderPortal {}
