// Last stop: what the sender may be told once the bytes are durable and enrolled.

/// The archive's answer for one object.
package struct Receipt: Sendable {
    package enum Outcome: String, Sendable, CaseIterable {
        /// Kept and visible.
        case stored
        /// The same object is here already, byte for byte; nothing was stored twice.
        case duplicate
        /// Another object with this UID is here already; both are kept and the conflict is listed.
        case conflict
    }

    package let outcome: Outcome
    package let studyInstanceUID: String
    package let sopClassUID: String
    package let sopInstanceUID: String
    /// Departures from the standard that were tolerated, as words without values.
    package let flaws: [String]
    /// SHA-256 of the file that stood for this one before it came: another one where only the data sets are the same. Nil
    /// where the object was stored, or where an equal one came at the same moment.
    package let storedDigest: [UInt8]?
}
