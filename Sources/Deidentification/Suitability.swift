// Objects that tell who the patient is where no header does: in their pixels, or in what they say.

package import DICOMCore

package enum Suitability {
    /// Classes that are words: reports, documents, voices, and data that nobody can look into.
    private static let words = [
        "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104.", "1.2.840.10008.5.1.4.1.1.9.4.",
        "1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.40", "1.2.840.10008.5.1.4.1.1.78.",
        "1.2.840.10008.5.1.4.1.1.79.",
    ]
    /// Of those that begin so, these are geometry.
    private static let geometry = [
        "1.2.840.10008.5.1.4.1.1.66.1", "1.2.840.10008.5.1.4.1.1.66.2", "1.2.840.10008.5.1.4.1.1.66.3",
        "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.5", "1.2.840.10008.5.1.4.1.1.66.6",
        "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.8",
    ]
    /// Classes whose pixels carry text, labels or faces as a rule: ultrasound, secondary capture, visible light.
    private static let pixels = [
        "1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.6",
        "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.6.2", "1.2.840.10008.5.1.4.1.1.7",
    ]
    private static let pixelFamilies = ["1.2.840.10008.5.1.4.1.1.7.", "1.2.840.10008.5.1.4.1.1.77."]

    /// Why an object is not de-identified; nil where it can be.
    package static func objection(_ dataSet: DataSet, acceptsPixels: Bool) -> String? {
        guard let sopClass = dataSet.string(.sopClassUID) else { return "the object names no class" }
        guard SOPClass.isStorage(sopClass) else { return "objects of an unknown class" }
        let isGeometry = geometry.contains(sopClass)
        if !isGeometry, words.contains(where: { sopClass == $0 || $0.hasSuffix(".") && sopClass.hasPrefix($0) }) {
            return "objects of this class are words of people (\(SOPClass.name(of: sopClass) ?? sopClass))"
        }
        if hasEmbeddedOverlay(dataSet) { return "an overlay is drawn into its pixels" }
        guard !acceptsPixels else { return nil }
        if dataSet.string(Tag(0x0028, 0x0301))?.uppercased() == "YES" { return "its pixels show text (0028,0301)" }
        if pixels.contains(sopClass) || pixelFamilies.contains(where: sopClass.hasPrefix) {
            return "pixels of this class often show names (\(SOPClass.name(of: sopClass) ?? sopClass))"
        }
        if dataSet.string(Tag(0x0008, 0x0064)) != nil { return "it was captured from film or a screen (0008,0064)" }
        let kinds = dataSet.strings(Tag(0x0008, 0x0008)).map { $0.uppercased() }
        if kinds.contains(where: { $0.contains("SCREEN") || $0.contains("CAPTURE") || $0.contains("DOSE") }) {
            return "it was captured from a screen (0008,0008)"
        }
        return nil
    }

    /// Overlay planes in unused bits of the pixels (PS3.3-2004 Section C.9.2).
    private static func hasEmbeddedOverlay(_ dataSet: DataSet) -> Bool {
        dataSet.elements.contains { element in
            guard element.tag.group & 0xFF01 == 0x6000, element.tag.element == 0x0010 else { return false }
            let group = element.tag.group
            return dataSet[Tag(group, 0x3000)] == nil && (dataSet.int(Tag(group, 0x0100)) ?? 1) > 1
        }
    }
}
