// The listeners as one service, so that they stop at the same moment and not one after the other.

import DIMSEServer
import Exchange
import Forwarding
import Interop
import Portal
import ServiceLifecycle

/// DICOM, HTTP and HL7 together, and what is told to others; when one ends with an error, so do the others.
struct Edges: Service {
    let dimse: [DIMSEListener]
    let web: any Service
    let events: EventFeed
    let messages: MLLPListener?
    let notices: NoticeDelivery?
    let forwarder: Forwarder
    let contact: FleetContact

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in dimse { group.addTask { try await listener.run() } }
            group.addTask { try await web.run() }
            // Live streams end first: the web server waits for what it answers.
            group.addTask { try await events.run() }
            if let messages { group.addTask { try await messages.run() } }
            if let notices { group.addTask { try await notices.run() } }
            group.addTask { try await forwarder.run() }
            group.addTask { try await contact.run() }
            try await group.waitForAll()
        }
    }
}
