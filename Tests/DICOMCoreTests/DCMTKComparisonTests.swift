// The reader against DCMTK's dcmdump on every file at hand: same tags, same VRs, same values.

import DICOMCore
import Foundation
import Testing

/// One line of a dump: an element or an item.
struct DumpLine: Hashable {
    var depth: Int
    var tag: String
    var vr: String
    var value: String
    var length: Int?
}

/// Runs dcmdump and reads what it prints.
enum DCMTKDump {
    static let program: String? = ["/usr/bin/dcmdump", "/usr/local/bin/dcmdump"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// The lines of each file that dcmdump can read, group 0002 included, pixel data and what follows left out. Values
    /// over 4 KiB come without their content.
    static func run(_ paths: [String]) throws -> [String: [DumpLine]] {
        let process = Process()
        process.executableURL = URL(filePath: program ?? "")
        process.arguments =
            ["-q", "+F", "+L", "-Un", "+Qo", "-M", "+R", "4", "+sb", "7fe0,0010"] + paths
        // Only the standard's dictionary: private attributes without VR are UN for both.
        var environment = ProcessInfo.processInfo.environment
        let dictionaries = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/share")) ?? []
        if let folder = dictionaries.filter({ $0.hasPrefix("libdcmtk") }).max() {
            environment["DCMDICTPATH"] = "/usr/share/\(folder)/dicom.dic"
        }
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return parse(text)
    }

    private static func parse(_ text: Data) -> [String: [DumpLine]] {
        var files: [String: [DumpLine]] = [:]
        var path = ""
        var lines: [DumpLine] = []
        for line in [UInt8](text).split(separator: 0x0A) {
            if line.starts(with: "# dcmdump (".utf8) {
                if !lines.isEmpty { files[path] = lines }
                lines = []
                let header = String(decoding: line, as: UTF8.self)
                path = header.range(of: "): ").map { String(header[$0.upperBound...]) } ?? ""
            } else if let parsed = element(line) {
                lines.append(parsed)
            }
        }
        if !lines.isEmpty { files[path] = lines }
        return files
    }

    /// `  (gggg,eeee) VR value   # length, multiplicity name`
    private static func element(_ line: ArraySlice<UInt8>) -> DumpLine? {
        let indent = line.prefix { $0 == 0x20 }.count
        let rest = line.dropFirst(indent)
        guard rest.first == 0x28, rest.count > 15, let comment = rest.lastIndex(of: 0x23) else { return nil }
        let tag = String(decoding: rest.prefix(11), as: UTF8.self)
        if tag == "(fffe,e00d)" || tag == "(fffe,e0dd)" { return nil }
        let vr = String(decoding: rest.dropFirst(12).prefix(2), as: UTF8.self)
        let body = rest[(rest.startIndex + 15)..<comment]
        let trimmed = body.prefix(body.count - body.reversed().prefix { $0 == 0x20 }.count)
        let number = rest[(comment + 1)...].drop { $0 == 0x20 }.prefix { (0x30...0x39).contains($0) }
        return DumpLine(
            depth: indent / 2, tag: tag, vr: vr, value: String(decoding: trimmed, as: UTF8.self),
            length: Int(String(decoding: number, as: UTF8.self)))
    }
}

@Suite("Comparison with DCMTK")
struct DCMTKComparisonTests {
    /// Files that dcmdump reads otherwise than we do, and why that is right.
    static let exceptions: [String: String] = [
        "fo-dicom/FreezePattern.dcm":
            "sequences and items say length zero and have content: DCMTK stops at the first, we read on and mark it"
    ]

    @Test("The same tags, VRs and values as dcmdump in every file that it can read")
    func everyFile() throws {
        guard DCMTKDump.program != nil else {
            if ProcessInfo.processInfo.environment["CI"] != nil {
                Issue.record("dcmdump is not installed")
            } else {
                withKnownIssue("dcmdump is not installed: nothing was compared") { Issue.record("skipped") }
            }
            return
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "phim-comparison-\(UID.generate())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var paths: [String] = []
        for syntax in [
            TransferSyntax.implicitVRLittleEndian, .explicitVRLittleEndian, .explicitVRBigEndian,
            .deflatedExplicitVRLittleEndian,
        ] {
            let path = folder.appending(path: "\(syntax.uid).dcm").path
            try Data(Synthetic.file(syntax)).write(to: URL(filePath: path))
            paths.append(path)
        }
        paths += RealFiles.paths
        var compared = 0
        for start in stride(from: 0, to: paths.count, by: 200) {
            let batch = Array(paths[start..<min(start + 200, paths.count)])
            for (path, expected) in try DCMTKDump.run(batch).sorted(by: { $0.key < $1.key }) {
                let name = URL(filePath: path).pathComponents.suffix(2).joined(separator: "/")
                guard Self.exceptions[name] == nil else { continue }
                compared += 1
                if let difference = Self.difference(path, expected) { Issue.record("\(name): \(difference)") }
            }
        }
        #expect(compared >= 4 && compared >= paths.count * 9 / 10)
    }

    /// The first difference between a dump and our reading of the file, nil for none.
    static func difference(_ path: String, _ expected: [DumpLine]) -> String? {
        let bytes = RealFiles.bytes(path)
        guard let file = try? Part10.parse(bytes),
            let header = try? HeaderReader.read(
                bytes, from: file.dataSetOffset, transferSyntax: file.transferSyntax)
        else { return "cannot be read" }
        var actual: [(line: DumpLine, element: DataElement?, owner: DataSet)] = []
        func add(_ dataSet: DataSet, depth: Int) {
            for element in dataSet.elements {
                let tag = element.tag.description.lowercased()
                // The first of two with one tag counts, for DCMTK too; it leaves UN of defined length closed.
                if element != dataSet[element.tag] { continue }
                let items = element.vr == .SQ ? dataSet.items(of: element) : []
                actual.append(
                    (
                        DumpLine(depth: depth, tag: tag, vr: element.vr.rawValue, value: "", length: element.length),
                        element, dataSet
                    ))
                for item in items {
                    let line = DumpLine(
                        depth: depth + 1, tag: "(fffe,e000)", vr: "na", value: "", length: item.elements.count)
                    actual.append((line, nil, item))
                    add(item, depth: depth + 2)
                }
            }
        }
        if let meta = file.fileMetaInformation { add(meta, depth: 0) }
        add(header.dataSet, depth: 0)

        let wanted = expected.filter { $0.vr != "pi" && !($0.depth == 0 && $0.tag > "(7fe0,0007)") }
        actual.removeAll { $0.line.depth == 0 && $0.line.tag > "(7fe0,0007)" }
        for (theirs, ours) in zip(wanted, actual) {
            guard theirs.tag == ours.line.tag, theirs.depth == ours.line.depth else {
                return "\(theirs.tag) at depth \(theirs.depth) is \(ours.line.tag) at depth \(ours.line.depth)"
            }
            guard let element = ours.element else { continue }
            if !sameVR(theirs.vr, element, ours.owner) { return "\(theirs.tag) has VR \(theirs.vr), not \(element.vr)" }
            if !sameValue(theirs, element, ours.owner) { return "\(theirs.tag) \(theirs.vr) has another value" }
        }
        return wanted.count == actual.count ? nil : "\(wanted.count) lines, not \(actual.count)"
    }

    private static func sameVR(_ theirs: String, _ element: DataElement, _ owner: DataSet) -> Bool {
        if theirs == element.vr.rawValue { return true }
        // An illegal VR is printed as ?? or as it stands; we take the dictionary's.
        if VR(rawValue: theirs) == nil { return element.vr == DataDictionary.vr(of: element.tag) }
        // US or SS, where the data set does not say: DCMTK follows Pixel Representation.
        return !owner.encoding.isExplicitVR && theirs == "SS" && element.vr == .US
    }

    private static func sameValue(_ theirs: DumpLine, _ element: DataElement, _ owner: DataSet) -> Bool {
        guard element.vr != .SQ, !element.isUndefinedLength else { return true }
        if theirs.value == "(no value available)" {
            return owner.rawValue(element).allSatisfy { $0 == 0 || $0 == 0x20 }
        }
        // DCMTK pads what it read.
        guard theirs.length == element.length + element.length % 2 else { return false }
        if theirs.value == "(not loaded)" { return true }
        let raw = Array(owner.rawValue(element))
        switch theirs.vr {
        case "FL", "OF", "FD", "OD":
            return sameDecimals(theirs, words(raw, theirs.vr == "FL" || theirs.vr == "OF" ? 4 : 8, owner))
        case "US", "UL", "UV":
            return theirs.value == words(raw, width(theirs.vr), owner).map { String($0) }.joined(separator: "\\")
        case "SS", "xs":
            return theirs.value
                == words(raw, 2, owner).map { String(Int16(truncatingIfNeeded: $0)) }.joined(separator: "\\")
        case "SL":
            return theirs.value
                == words(raw, 4, owner).map { String(Int32(truncatingIfNeeded: $0)) }.joined(separator: "\\")
        case "SV":
            return theirs.value
                == words(raw, 8, owner).map { String(Int64(truncatingIfNeeded: $0)) }.joined(separator: "\\")
        case "AT":
            return theirs.value == owner.tags(element).map { $0.description.lowercased() }.joined(separator: "\\")
        case "OW", "OL", "OV":
            let width = width(theirs.vr)
            return theirs.value == words(raw, width, owner).map { hexadecimal($0, width) }.joined(separator: "\\")
        case _ where theirs.value.hasPrefix("[") && theirs.value.hasSuffix("]"):
            return unpadded(String(theirs.value.dropFirst().dropLast())) == unpadded(octal(raw))
        default:
            return theirs.value == raw.map { hexadecimal(UInt64($0), 1) }.joined(separator: "\\")
        }
    }

    /// DCMTK's decimals are not always the nearest ones.
    private static func sameDecimals(_ theirs: DumpLine, _ words: [UInt64]) -> Bool {
        let isShort = theirs.vr == "FL" || theirs.vr == "OF"
        let numbers = words.map { word -> Double in
            isShort ? Double(Float(bitPattern: UInt32(word))) : Double(bitPattern: word)
        }
        let printed = theirs.value.split(separator: "\\").compactMap { Double($0) }
        guard printed.count == numbers.count else { return false }
        let precision = isShort ? 1e-7 : 1e-15
        return zip(printed, numbers).allSatisfy { left, right in
            left == right || right.isNaN || abs(left - right) <= abs(right) * precision
        }
    }

    private static func width(_ vr: String) -> Int { ["US": 2, "OW": 2, "UL": 4, "OL": 4][vr] ?? 8 }

    private static func words(_ raw: [UInt8], _ width: Int, _ owner: DataSet) -> [UInt64] {
        stride(from: 0, through: raw.count - width, by: width).map { start in
            let word = raw[start..<start + width]
            return (owner.encoding.isBigEndian ? Array(word) : word.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private static func hexadecimal(_ word: UInt64, _ width: Int) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: width * 2 - digits.utf8.count) + digits
    }

    /// As `+Qo` prints text: control characters and what is not ASCII as three octal digits.
    private static func octal(_ raw: [UInt8]) -> String {
        var text: [UInt8] = []
        for byte in raw {
            if (0x20...0x7E).contains(byte) {
                text.append(byte)
            } else {
                text += "\\".utf8
                text += [byte >> 6, byte >> 3 & 7, byte & 7].map { $0 + 0x30 }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func unpadded(_ text: String) -> Substring {
        var text = text[...]
        while true {
            if text.hasSuffix(" ") {
                text = text.dropLast()
            } else if text.hasSuffix("\\000") {
                text = text.dropLast(4)
            } else {
                return text
            }
        }
    }
}
