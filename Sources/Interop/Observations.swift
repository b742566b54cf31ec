// Weight, height and pregnancy: the OBX segments of an order that matter for the examination.

import HL7

/// What the observations of an order say in the units of DICOM; nil is not said, empty is deleted.
struct Observations: Sendable {
    /// Kilogrammes (PS3.3 C.7.2.2).
    private(set) var weight: String?
    /// Metres (PS3.3 C.7.2.2).
    private(set) var size: String?
    /// PS3.3 C.7.1.4: 1 not pregnant, 2 possibly, 3 definitely, 4 unknown.
    private(set) var pregnancy: String?
    /// What could not be taken.
    private(set) var warnings: [Acknowledgement.Issue] = []

    /// What a kind of measure may be, and how its units (UCUM) become DICOM's.
    private struct Measure {
        let plausible: ClosedRange<Double>
        let units: [String: Double]
    }

    /// The lightest that live and the heaviest that lived.
    private static let weights = Measure(
        plausible: 0.2...650,
        units: ["KG": 1, "G": 0.001, "LB": 0.45359237, "LBS": 0.45359237, "[LB_AV]": 0.45359237])
    private static let sizes = Measure(
        plausible: 0.15...2.8, units: ["M": 1, "CM": 0.01, "MM": 0.001, "IN": 0.0254, "[IN_I]": 0.0254])

    /// Y and N, SNOMED CT, and the answers of LOINC 82810-3.
    private static let pregnancies = [
        "Y": "3", "YES": "3", "77386006": "3", "LA15173-0": "3", "N": "1", "NO": "1", "60001007": "1",
        "LA26683-5": "1", "P": "2", "POSSIBLY": "2", "U": "4", "UNK": "4", "UNKNOWN": "4", "LA4489-6": "4",
    ]

    init(_ observations: [OrderGroup.Numbered]) {
        for observation in observations { take(observation) }
    }

    private mutating func take(_ observation: OrderGroup.Numbered) {
        let segment = observation.segment
        guard let value = segment.said(5) else { return }
        switch segment.text(3) {
        case "3141-9", "29463-7":
            weight = measured(value, Self.weights, usual: { _ in "KG" }, observation) ?? weight
        case "8302-2", "3137-7":
            // Centimetres are the usual ones; what nobody measures in them are metres.
            size = measured(value, Self.sizes, usual: { $0 > 3 ? "CM" : "M" }, observation) ?? size
        case "82810-3", "11449-6":
            let status = value.isEmpty ? "" : Self.pregnancies[value.uppercased()]
            if status == nil {
                warn(observation, 5, "is not a status of pregnancy that is known here; it was not taken")
            }
            pregnancy = status ?? pregnancy
        default: break
        }
    }

    /// A number in DICOM's unit; nil, with a warning, where it cannot be one.
    private mutating func measured(
        _ text: String, _ measure: Measure, usual: (Double) -> String, _ observation: OrderGroup.Numbered
    ) -> String? {
        if text.isEmpty { return "" }
        // Numbers are often written with a comma.
        let digits = text.trimmingSpaces.replacing(",", with: ".")
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }), let number = Double(digits) else {
            warn(observation, 5, "is not a number; it was not taken")
            return nil
        }
        let unit = (observation.segment.text(6) ?? usual(number)).uppercased().trimmingSpaces
        guard let factor = measure.units[unit] else {
            warn(observation, 6, "is not a unit that is known here; the observation was not taken")
            return nil
        }
        guard measure.plausible.contains(number * factor) else {
            warn(observation, 5, "is not possible in its unit; it was not taken")
            return nil
        }
        let rounded = (number * factor * 1000).rounded() / 1000
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    private mutating func warn(_ observation: OrderGroup.Numbered, _ field: Int, _ text: String) {
        let place = Location("OBX", occurrence: observation.number, field)
        warnings.append(.init(.dataType, at: place, text, isWarning: true))
    }
}
