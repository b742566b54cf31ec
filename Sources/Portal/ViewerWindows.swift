// Windows that a viewer offers: those of the objects, and the usual ones of CT (PS3.3 Section C.11.2).

/// Text in the two languages of the pages.
package struct ViewerLabel: Hashable, Sendable, Encodable {
    package let en: String
    package let vi: String
}

/// A window as an object has it.
package struct ObjectWindow: Hashable, Sendable {
    let center: Double
    let width: Double
    package let explanation: String?
    /// `LINEAR`, `LINEAR_EXACT` or `SIGMOID`; nil is LINEAR.
    let function: String?

    /// Pairs of Window Center and Window Width; what is no number or has no width is left out.
    package static func windows(
        centers: [Double], widths: [Double], explanations: [String], function: String?
    ) -> [ObjectWindow] {
        zip(centers, widths).enumerated().compactMap { index, pair in
            guard pair.0.isFinite, pair.1.isFinite, pair.1 > 0 else { return nil }
            let explanation = index < explanations.count && !explanations[index].isEmpty ? explanations[index] : nil
            return ObjectWindow(center: pair.0, width: pair.1, explanation: explanation, function: function)
        }
    }
}

/// A window as the answer has it.
package struct WindowPreset: Hashable, Sendable, Encodable {
    package enum Source: String, Sendable, Encodable { case object, standard }

    package let center: Double
    package let width: Double
    package let function: String?
    package let label: ViewerLabel?
    package let source: Source
    /// Usual for the part of the body that the series shows.
    package let isSuggested: Bool

    init(_ window: ObjectWindow) {
        center = window.center
        width = window.width
        function = window.function
        label = window.explanation.map { ViewerLabel(en: $0, vi: $0) }
        source = .object
        isSuggested = false
    }

    private init(_ usual: UsualWindow, isSuggested: Bool) {
        center = usual.center
        width = usual.width
        function = nil
        label = usual.label
        source = .standard
        self.isSuggested = isSuggested
    }

    /// Windows kept of the objects of one series: a magnetic resonance series may have one per slice.
    private static let mostOfObjects = 16

    /// The windows of a series: its own first, each once, then the usual ones where values are Hounsfield units.
    package static func presets(of windows: [ObjectWindow], isHounsfield: Bool, bodyPart: String?) -> [WindowPreset] {
        var seen: Set<ObjectWindow> = []
        let own = windows.filter { seen.insert($0).inserted }.prefix(mostOfObjects).map { WindowPreset($0) }
        guard isHounsfield else { return own }
        let part = (bodyPart ?? "").uppercased()
        let usual = UsualWindow.all.map { window in
            WindowPreset(window, isSuggested: window.bodyParts.contains { part.contains($0) })
        }
        return own + usual.filter(\.isSuggested) + usual.filter { !$0.isSuggested }
    }
}

/// The windows that radiologists set for CT, in Hounsfield units.
private struct UsualWindow: Sendable {
    let center: Double
    let width: Double
    let label: ViewerLabel
    /// Words of Body Part Examined.
    let bodyParts: [String]

    private init(_ center: Double, _ width: Double, _ en: String, _ vi: String, _ bodyParts: [String]) {
        self.center = center
        self.width = width
        label = ViewerLabel(en: en, vi: vi)
        self.bodyParts = bodyParts
    }

    static let all: [UsualWindow] = [
        UsualWindow(-600, 1500, "Lung", "Phổi", ["CHEST", "LUNG", "THORAX"]),
        UsualWindow(50, 350, "Mediastinum", "Trung thất", ["CHEST", "THORAX", "HEART"]),
        UsualWindow(50, 400, "Soft tissue", "Mô mềm", ["ABDOMEN", "PELVIS", "NECK"]),
        UsualWindow(70, 150, "Liver", "Gan", ["ABDOMEN", "LIVER"]),
        UsualWindow(
            500, 2000, "Bone", "Xương",
            [
                "SPINE", "BONE", "EXTREMITY", "KNEE", "HIP", "SHOULDER", "ANKLE", "FOOT", "HAND", "WRIST", "ELBOW",
                "SKULL",
            ]),
        UsualWindow(40, 80, "Brain", "Não", ["HEAD", "BRAIN"]),
        UsualWindow(35, 40, "Stroke", "Đột quỵ", ["HEAD", "BRAIN"]),
        UsualWindow(75, 215, "Subdural", "Dưới màng cứng", ["HEAD", "BRAIN"]),
        UsualWindow(700, 4000, "Temporal bone", "Xương thái dương", ["TEMPORAL", "EAR", "IAC"]),
        UsualWindow(300, 600, "Vessels", "Mạch máu", ["ANGIO", "AORTA", "VESSEL", "CORONARY"]),
    ]
}
