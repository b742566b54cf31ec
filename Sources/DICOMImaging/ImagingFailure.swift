// Why pixels cannot be given.

/// A failure of this room. Texts name what is wrong with the encoding, never a value of the object.
package enum ImagingFailure: Error, Hashable, Sendable, Codable {
    /// The object has no pixel data, or none that is an image.
    case noPixels
    /// The frame does not exist.
    case noSuchFrame
    /// There is no codec for this syntax and this kind of samples.
    case unsupported(String)
    /// The pixel data, or what describes it, contradicts itself or does not decode.
    case damaged(String)
    /// A worker used up its time or memory, or died on the image.
    case workerLost(String)
    /// The bytes cannot be read, or no worker can be started.
    case unavailable(String)
    /// Every worker has been at work on something else for too long.
    case busy

    /// One sentence without patient data.
    package var reason: String {
        switch self {
        case .noPixels: "no pixel data"
        case .noSuchFrame: "no such frame"
        case .busy: "all codec workers are busy"
        case .unsupported(let text), .damaged(let text), .workerLost(let text), .unavailable(let text): text
        }
    }
}
