// Tells DICOM from everything else that lies on discs, by content first and by name second.

import DICOMCore

/// What the beginning of a file shows it to be.
enum Recognition: Equatable, Sendable {
    /// To be offered to the archive. Without a `DICM` prefix it may still turn out to be something else.
    case object(isCertain: Bool)
    /// A DICOMDIR (PS3.10 Section 8.6): it names objects and is none itself.
    case directory
    /// A zip, tar or ISO 9660 file.
    case archive
    /// Nothing that anyone would miss.
    case other
    /// Looks like DICOM by its name, but is not.
    case unreadable(reason: String)

    /// - Parameter start: the first bytes, 64 KiB if there are as many.
    init(start: ArraySlice<UInt8>, name: RawPath) {
        let bytes = Array(start.prefix(64 << 10))
        let ending = FileName(name).ending
        if Self.hasPrefix(bytes) {
            let file = try? Part10.parse(bytes)
            self =
                file?.mediaStorageSOPClassUID == SOPClass.mediaStorageDirectory ? .directory : .object(isCertain: true)
        } else if bytes.isEmpty {
            self = FileName(name).isObviouslyOther ? .other : .unreadable(reason: "empty file")
        } else if Self.isArchive(bytes) {
            self = .archive
        } else if FileName(name).isObviouslyOther {
            self = .other
        } else {
            do throws(ReadFailure) {
                let file = try Part10.parse(bytes)
                let isDirectory = file.mediaStorageSOPClassUID == SOPClass.mediaStorageDirectory
                self = isDirectory ? .directory : .object(isCertain: FileName.ofObjects.contains(ending))
            } catch {
                self = FileName.ofObjects.contains(ending) ? .unreadable(reason: "\(error)") : .other
            }
        }
    }

    /// `DICM` after a preamble of 128 bytes (PS3.10 Section 7.1).
    private static func hasPrefix(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
    }

    private static func isArchive(_ bytes: [UInt8]) -> Bool {
        func holds(_ magic: String, at offset: Int) -> Bool {
            bytes.count >= offset + magic.utf8.count && bytes[offset...].starts(with: magic.utf8)
        }
        if holds("PK\u{3}\u{4}", at: 0) || holds("PK\u{5}\u{6}", at: 0) || holds("ustar", at: 257) { return true }
        if holds("CD001", at: 32_769) || holds("BZh", at: 0) { return true }
        return [[0x1F, 0x8B, 0x08], [0xFD, 0x37, 0x7A, 0x58, 0x5A], [0x28, 0xB5, 0x2F, 0xFD]].contains {
            bytes.starts(with: $0)
        }
    }
}

/// What a name says of a file.
struct FileName {
    private let name: String

    init(_ path: RawPath) {
        let text = path.lastComponent.text.lowercased()
        name = text.hasSuffix(";1") ? String(text.dropLast(2)) : text
    }

    /// The part after the last dot, in lower case.
    var ending: String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
        return String(name[name.index(after: dot)...])
    }

    /// The name that every DICOM medium has at its root (PS3.10 Section 8.6).
    var isDirectory: Bool { name == "dicomdir" }

    /// Files of viewers, systems and people that lie beside the images on a disc, and hidden ones.
    var isObviouslyOther: Bool { name.hasPrefix(".") || Self.ofOthers.contains(ending) }

    /// Files that are opened when a folder is gone through.
    var isArchive: Bool {
        let compressed =
            ["gz", "bz2", "xz", "zst"].contains(ending) && name.dropLast(ending.count + 1).hasSuffix(".tar")
        return compressed || ["zip", "tar", "tgz", "tbz2", "txz", "iso"].contains(ending)
    }

    static let ofObjects: Set<String> = ["dcm", "dicom", "dic", "dc3", "ima"]

    private static let ofOthers = Set(
        """
        app apk avi bat bmp bz2 cab cfg chm class cmd com conf config css csv cur db deb desktop dll doc docx \
        dylib eot exe gif gitignore gz h hlp htm html icns ico inf ini jar java jpeg jpg js json jsonl key lic lnk lock \
        log manifest map md mdb mov mp3 mp4 mpg msi msp nib ocx odt otf pdb pdf pl plist png pps ppt pptx properties \
        ps1 py pyc rpm rst rtf sh so sql sqlite svg swf sys tif tiff toml tsv ttf txt url vbs webm webp wmv woff woff2 \
        xls xlsx xml xsd xsl xslt yaml yml
        """.split(separator: " ").map(String.init))
}
