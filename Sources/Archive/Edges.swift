// Both listeners as one service, so that they stop at the same moment and not one after the other.

import DIMSEServer
import Portal
import ServiceLifecycle

/// DICOM and HTTP together; when one ends with an error, so does the other.
struct Edges: Service {
    let dimse: DIMSEListener
    let web: any Service
    let events: EventFeed

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await dimse.run() }
            group.addTask { try await web.run() }
            // Live streams end first: the web server waits for what it answers.
            group.addTask { try await events.run() }
            try await group.waitForAll()
        }
    }
}
