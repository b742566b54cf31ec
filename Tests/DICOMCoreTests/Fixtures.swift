// Bytes to read: hexadecimal with a reading beside it, synthesised objects, and real files where they are present.

import DICOMCore
import Foundation

/// Swift Testing has a `Tag` too.
typealias Tag = DICOMCore.Tag

/// Bytes from hexadecimal; everything behind `//` on a line is the reading.
func hex(_ text: String) -> [UInt8] {
    let digits = text.split(separator: "\n").map { line in
        line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
    }.joined().filter { !$0.isWhitespace }
    var bytes: [UInt8] = []
    var pending: UInt8?
    for digit in digits {
        guard let value = digit.hexDigitValue else { fatalError("not hexadecimal: \(digit)") }
        if let high = pending {
            bytes.append(high << 4 | UInt8(value))
            pending = nil
        } else {
            pending = UInt8(value)
        }
    }
    precondition(pending == nil, "an odd number of digits")
    return bytes
}

enum RealFiles {
    /// `.dcm` files of the folder that PHIM_TEST_DICOM_DIR names, and of `../shared/data` beside the package.
    static let paths: [String] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var folders = [root.deletingLastPathComponent().appending(path: "shared/data")]
        if let named = ProcessInfo.processInfo.environment["PHIM_TEST_DICOM_DIR"], !named.isEmpty {
            folders.insert(URL(filePath: named), at: 0)
        }
        var seen: Set<String> = []
        for folder in folders {
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                if file.pathExtension.lowercased() == "dcm" { seen.insert(file.resolvingSymlinksInPath().path) }
            }
        }
        return seen.sorted()
    }()

    static func bytes(_ path: String, most: Int = .max) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let data = most == .max ? try? file.readToEnd() : try? file.read(upToCount: most)
        return [UInt8](data ?? Data())
    }
}

enum Synthetic {
    static let sopInstanceUID = "1.2.826.0.1.3680043.9.7433.1.1"

    /// A data set with text, numbers, nested sequences and private elements.
    static func dataSet(_ transferSyntax: TransferSyntax, name: String = "Nguyễn^Văn Đức") -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: transferSyntax, characterSet: .utf8)
        writer.put(.imageType, .CS, ["ORIGINAL", "PRIMARY", "AXIAL"])
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, sopInstanceUID)
        writer.put(.studyDate, "20240131")
        writer.put(.studyTime, "101530.5")
        writer.put(.modality, "CT")
        writer.put(.patientName, name)
        writer.put(.patientID, "BN-0001")
        writer.put(.studyInstanceUID, "1.2.826.0.1.3680043.9.7433.1")
        writer.put(.seriesInstanceUID, "1.2.826.0.1.3680043.9.7433.1.2")
        writer.put(.instanceNumber, "17")
        writer.put(.pixelSpacing, .DS, ["0.5", "0.5"])
        writer.put(.rows, .US, ints: [512])
        writer.put(.columns, .US, ints: [256])
        var inner = writer.makeItem()
        inner.put(.codeValue, "113691")
        inner.put(.codeMeaning, "Đo lường")
        var outer = writer.makeItem()
        outer.put(.referencedSOPInstanceUID, "1.2.3")
        outer.put(.conceptNameCodeSequence, items: [inner])
        writer.put(.referencedImageSequence, items: [outer, outer])
        writer.put(Tag(0x0029, 0x0010), .LO, ["PHIM TEST"])
        writer.put(Tag(0x0029, 0x1001), .UN, bytes: [1, 2, 3, 4])
        writer.put(Tag(0x0029, 0x1002), .FD, ["0.25", "-3"])
        return writer.finish()
    }

    static func file(_ transferSyntax: TransferSyntax, name: String = "Nguyễn^Văn Đức") -> [UInt8] {
        Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: sopInstanceUID, transferSyntaxUID: transferSyntax.uid)
            + dataSet(transferSyntax, name: name)
    }

    /// Explicit VR little endian with sequences of undefined length, one inside the other.
    static let undefinedLengths = hex(
        """
        0800 1800 5549 0600 312E322E3300      // (0008,0018) UI 1.2.3
        0800 4011 5351 0000 FFFFFFFF          // (0008,1140) SQ, undefined length
          FEFF 00E0 FFFFFFFF                  //   item, undefined length
            0800 5511 5549 0400 312E3400      //     (0008,1155) UI 1.4
            4000 43A0 5351 0000 FFFFFFFF      //     (0040,A043) SQ, undefined length
              FEFF 00E0 0E000000              //       item of 14 bytes
                0800 0001 5348 0600 313131202020 // (0008,0100) SH 111
              FEFF DDE0 00000000              //     end of sequence
          FEFF 0DE0 00000000                  //   end of item
          FEFF 00E0 00000000                  //   empty item
        FEFF DDE0 00000000                    // end of sequence
        1000 2000 4C4F 0200 3432              // (0010,0020) LO 42
        """)
}

/// Every element of a data set and of all items below it, with its depth.
func walk(_ dataSet: DataSet, depth: Int = 0, visit: (DataElement, DataSet, Int) -> Void) {
    for element in dataSet.elements {
        visit(element, dataSet, depth)
        for item in dataSet.items(of: element) { walk(item, depth: depth + 1, visit: visit) }
    }
}
