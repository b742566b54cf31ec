// Both listeners as one service, so that they stop at the same moment and not one after the other.

import DIMSEServer
import ServiceLifecycle

/// DICOM and HTTP together; when one ends with an error, so does the other.
struct Edges: Service {
    let dimse: DIMSEListener
    let web: any Service

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await dimse.run() }
            group.addTask { try await web.run() }
            try await group.waitForAll()
        }
    }
}
