// What this server is and can do, for programs and for pages before anybody has signed in: nothing of patients.

import Access

/// The answer of /api/v1/server. How to reach it over DICOM is told to those who have signed in.
struct ServerDescription: Encodable, Sendable {
    struct DICOM: Encodable, Sendable {
        let aeTitle: String
        let port: Int
    }

    struct Viewer: Encodable, Sendable {
        let url: String
        /// Files that the viewer loads before it shows anything: a page may fetch them ahead.
        let startFiles: [String]
    }

    struct Limits: Encodable, Sendable {
        let studiesPerListener = EventRequest.mostStudies
        let listeners = EventFeed.Limits().listeners
        let listenersPerAccount = EventFeed.Limits().perAccount
    }

    let name = "Phim"
    let version: String
    let features = ["dicomweb", "viewer-study", "priors", "live-events", "loading-hints", "links", "grants", "tokens"]
    let limits = Limits()
    let dicom: DICOM?
    let dicomWeb = "/dicom-web"
    let openAPI = "/api/v1/openapi.json"
    /// Absent when the viewer is not installed.
    let viewer: Viewer?
    /// An identity provider signs people in.
    let signsInElsewhere: Bool

    private enum CodingKeys: String, CodingKey {
        case name, version, features, limits, dicom, dicomWeb, viewer, signsInElsewhere
        case openAPI = "openapi"
    }

    init(_ services: PortalServices, caller: Caller?) {
        version = services.facts.version
        dicom = caller.map { _ in DICOM(aeTitle: services.facts.aeTitle, port: services.facts.dicomPort) }
        viewer = services.viewer.map { files in
            Viewer(url: "/ohif/", startFiles: files.startFiles.map { "/ohif/" + $0 })
        }
        signsInElsewhere = services.facts.signsInElsewhere
    }
}
