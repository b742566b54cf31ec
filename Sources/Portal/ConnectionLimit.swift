// How many HTTP connections are open at once.

import HummingbirdCore

/// Lets no more than so many callers in; others wait in the listener's backlog.
struct ConnectionLimit: AvailableConnectionsDelegate {
    private let most: Int
    private var open = 0

    init(most: Int) { self.most = most }

    mutating func connectionOpened() { open += 1 }

    mutating func connectionClosed() { open -= 1 }

    func isAcceptingNewConnections() -> Bool { open < most }
}
