// The cases of Accept negotiation as tables: stored | accepted | what comes.

import DICOMweb

enum AcceptTables {
    static let frames = uncompressed + compressed + anything + qualities + viewer + odd

    /// application/octet-stream is Explicit VR Little Endian unless the caller says otherwise (PS3.18 Table 8.7.3-4).
    private static let uncompressed = AcceptCase.cases(
        .frames,
        """
        explicit | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        implicit | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        big      | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        deflated | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        rle      | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jpeg50   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jpeg51   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jpeg57   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jpeg70   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jls80    | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jls81    | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        j2k90    | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        j2k91    | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        htj201   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        htj202   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        htj203   | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jxl110   | multipart/related; type="application/octet-stream" | 406
        mpeg102  | multipart/related; type="application/octet-stream" | 406
        private  | multipart/related; type="application/octet-stream" | 406
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] explicit
        implicit | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] explicit
        big      | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] explicit
        deflated | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] explicit
        rle      | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] rle
        jpeg50   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jpeg50
        jpeg51   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jpeg51
        jpeg57   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jpeg57
        jpeg70   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jpeg70
        jls80    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jls80
        jls81    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jls81
        j2k90    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] j2k90
        j2k91    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] j2k91
        jpx92    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jpx92
        htj201   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj201
        htj202   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj202
        htj203   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj203
        jxl110   | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jxl110
        mpeg102  | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] mpeg102
        private  | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] private
        j2k90    | multipart/related; type="application/octet-stream"; transfer-syntax=explicit | [application/octet-stream] explicit
        j2k90    | multipart/related; type="application/octet-stream"; transfer-syntax=implicit | [application/octet-stream] explicit
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=explicit | [application/octet-stream] explicit
        j2k90    | multipart/related; type="application/octet-stream"; transfer-syntax=j2k90 | [application/octet-stream] j2k90
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=htj202 | [application/octet-stream] htj202
        mpeg102  | multipart/related; type="application/octet-stream"; transfer-syntax=explicit | 406
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=mpeg102 | 406
        explicit | application/octet-stream | application/octet-stream explicit
        jls80    | application/octet-stream | application/octet-stream explicit
        jls80    | application/octet-stream; transfer-syntax=* | application/octet-stream jls80
        """)

    /// The media types of compressed frames and the syntaxes that they carry (PS3.18 Table 8.7.3-5).
    private static let compressed = AcceptCase.cases(
        .frames,
        """
        jpeg50   | multipart/related; type="image/jpeg" | [image/jpeg] jpeg50
        jpeg51   | multipart/related; type="image/jpeg" | [image/jpeg] jpeg51
        jpeg57   | multipart/related; type="image/jpeg" | [image/jpeg] jpeg57
        jpeg70   | multipart/related; type="image/jpeg" | [image/jpeg] jpeg70
        explicit | multipart/related; type="image/jpeg" | [image/jpeg] jpeg70
        jls80    | multipart/related; type="image/jpeg" | [image/jpeg] jpeg70
        explicit | multipart/related; type="image/jpeg"; transfer-syntax=jpeg50 | [image/jpeg] jpeg50
        jpeg70   | multipart/related; type="image/jpeg"; transfer-syntax=jpeg50 | [image/jpeg] jpeg50
        explicit | multipart/related; type="image/jpeg"; transfer-syntax=jpeg51 | 406
        jpeg50   | multipart/related; type="image/jpeg"; transfer-syntax=jls80 | 406
        rle      | multipart/related; type="image/dicom-rle" | [image/dicom-rle] rle
        rle      | multipart/related; type="image/x-dicom-rle" | [image/dicom-rle] rle
        explicit | multipart/related; type="image/dicom-rle" | [image/dicom-rle] rle
        explicit | multipart/related; type="image/dicom-rle"; transfer-syntax=rle | [image/dicom-rle] rle
        jls80    | multipart/related; type="image/jls" | [image/jls] jls80
        jls81    | multipart/related; type="image/jls" | [image/jls] jls81
        jls81    | multipart/related; type="image/jls"; transfer-syntax=jls80 | [image/jls] jls80
        jls80    | multipart/related; type="image/jls"; transfer-syntax=jls81 | 406
        jls80    | multipart/related; type="image/x-jls" | [image/jls] jls80
        explicit | multipart/related; type="image/jls" | [image/jls] jls80
        explicit | multipart/related; type="image/jls"; transfer-syntax=* | [image/jls] jls80
        j2k90    | multipart/related; type="image/jp2" | [image/jp2] j2k90
        j2k91    | multipart/related; type="image/jp2" | [image/jp2] j2k91
        explicit | multipart/related; type="image/jp2" | [image/jp2] j2k90
        explicit | multipart/related; type="image/jp2"; transfer-syntax=j2k90 | [image/jp2] j2k90
        explicit | multipart/related; type="image/jp2"; transfer-syntax=j2k91 | 406
        jpx92    | multipart/related; type="image/jpx" | [image/jpx] jpx92
        explicit | multipart/related; type="image/jpx" | 406
        htj201   | multipart/related; type="image/jphc" | [image/jphc] htj201
        htj202   | multipart/related; type="image/jphc" | [image/jphc] htj202
        htj203   | multipart/related; type="image/jphc" | [image/jphc] htj203
        explicit | multipart/related; type="image/jphc" | [image/jphc] htj202
        explicit | multipart/related; type="image/jphc"; transfer-syntax=htj202 | [image/jphc] htj202
        explicit | multipart/related; type="image/jphc"; transfer-syntax=htj201 | [image/jphc] htj201
        explicit | multipart/related; type="image/jphc"; transfer-syntax=htj203 | 406
        j2k90    | multipart/related; type="image/jphc"; transfer-syntax=htj202 | [image/jphc] htj202
        mpeg102  | multipart/related; type="image/jphc" | 406
        jxl110   | multipart/related; type="image/jxl" | [image/jxl] jxl110
        explicit | multipart/related; type="image/jxl" | 406
        mpeg100  | multipart/related; type="video/mpeg2" | [video/mpeg2] mpeg100
        mpeg100  | multipart/related; type="video/mpeg" | [video/mpeg2] mpeg100
        mpeg102  | multipart/related; type="video/mp4" | [video/mp4] mpeg102
        hevc107  | multipart/related; type="video/H265" | [video/h265] hevc107
        mpeg100  | multipart/related; type="video/mp4" | 406
        explicit | multipart/related; type="video/mp4" | 406
        mpeg102  | multipart/related; type="video/*" | [video/mp4] mpeg102
        jls80    | image/jls | image/jls jls80
        jpeg50   | image/jpeg | image/jpeg jpeg50
        mpeg102  | video/mp4 | video/mp4 mpeg102
        """)

    /// A caller that takes anything gets pixels that need no codec, and what is stored where there is none here.
    private static let anything = AcceptCase.cases(
        .frames,
        """
        explicit | */* | [application/octet-stream] explicit
        jls80    | */* | [application/octet-stream] explicit
        rle      | */* | [application/octet-stream] explicit
        jpeg50   | */* | [application/octet-stream] explicit
        mpeg102  | */* | [video/mp4] mpeg102
        mpeg100  | */* | [video/mpeg2] mpeg100
        jxl110   | */* | [image/jxl] jxl110
        jls80    | */*; transfer-syntax=* | [application/octet-stream] jls80
        mpeg102  | */*; transfer-syntax=* | [application/octet-stream] mpeg102
        jls80    | multipart/related; type="*/*" | [application/octet-stream] explicit
        jls80    | multipart/related | [application/octet-stream] explicit
        mpeg102  | multipart/related; type="*/*" | [video/mp4] mpeg102
        jls80    | multipart/related; type="image/*" | [image/jls] jls80
        j2k91    | multipart/related; type="image/*" | [image/jp2] j2k91
        explicit | multipart/related; type="image/*" | [image/jpeg] jpeg70
        explicit | multipart/related; type="image/*"; transfer-syntax=htj202 | [image/jphc] htj202
        explicit | multipart/related; type="application/*" | [application/octet-stream] explicit
        """)

    /// The quality decides, then what needs no transcoding, then the order.
    private static let qualities = AcceptCase.cases(
        .frames,
        """
        jls80    | multipart/related; type="application/octet-stream", multipart/related; type="image/jls" | [image/jls] jls80
        jls80    | multipart/related; type="application/octet-stream"; q=1, multipart/related; type="image/jls"; q=0.5 | [application/octet-stream] explicit
        jls80    | multipart/related; type="application/octet-stream"; q=0.2, multipart/related; type="image/jp2"; q=0.9 | [image/jp2] j2k90
        jls80    | multipart/related; type="image/jls"; q=0, multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        jls80    | multipart/related; type="image/jls"; q=0 | 406
        explicit | multipart/related; type="image/jp2", multipart/related; type="image/jphc" | [image/jp2] j2k90
        explicit | multipart/related; type="image/jphc", multipart/related; type="image/jp2" | [image/jphc] htj202
        explicit | multipart/related; type="image/jpx", multipart/related; type="image/jphc"; q=0.1 | [image/jphc] htj202
        explicit | multipart/related; type="image/jp2"; q=0.8, */*; q=0.1 | [image/jp2] j2k90
        mpeg102  | multipart/related; type="image/jp2", */*; q=0.1 | [video/mp4] mpeg102
        jls80    | image/jp2;q=0.1, image/jls;q=0.1 | image/jls jls80
        jls80    | image/jls;q=abc | image/jls jls80
        jls80    | image/jls;q=-1, image/jp2;q=2 | image/jp2 j2k90
        """)

    /// Exactly what OHIF asks, in both of its spellings, and its list for microscopy.
    private static let viewer: [AcceptCase] = {
        let tiles = """
            multipart/related; type="image/jls"; transfer-syntax=jls80, multipart/related; type="image/jls"; \
            transfer-syntax=jls81, multipart/related; type="image/jp2"; transfer-syntax=j2k90, multipart/related; \
            type="image/jp2"; transfer-syntax=j2k91, multipart/related; type="image/jpx"; transfer-syntax=jpx92, \
            multipart/related; type="application/octet-stream"; transfer-syntax=*, multipart/related; \
            type="image/jpeg"; transfer-syntax=jpeg50
            """
        let short = """
            multipart/related; type="image/jls"; transfer-syntax=jls80, @jls81, type="image/jp2"; \
            transfer-syntax=j2k90, @j2k91, type="application/octet-stream"; transfer-syntax=*, type="image/jpeg"; \
            transfer-syntax=jpeg50
            """
        return AcceptCase.cases(
            .frames,
            """
            explicit | multipart/related; type="application/octet-stream"; transfer-syntax="*" | [application/octet-stream] explicit
            jls80    | multipart/related; type="application/octet-stream"; transfer-syntax="*" | [application/octet-stream] jls80
            htj202   | multipart/related; type=application/octet-stream; transfer-syntax=* | [application/octet-stream] htj202
            j2k90    | Multipart/Related;type=application/octet-stream;transfer-syntax=* | [application/octet-stream] j2k90
            rle      | multipart/related ; type = "application/octet-stream" ; transfer-syntax = "*" | [application/octet-stream] rle
            jpeg50   | \(tiles) | [application/octet-stream] jpeg50
            jls80    | \(tiles) | [image/jls] jls80
            jls81    | \(tiles) | [image/jls] jls81
            j2k91    | \(tiles) | [image/jp2] j2k91
            explicit | \(tiles) | [application/octet-stream] explicit
            rle      | \(tiles) | [application/octet-stream] rle
            jls81    | \(short) | [image/jls] jls81
            j2k91    | \(short) | [image/jp2] j2k91
            jpeg50   | \(short) | [application/octet-stream] jpeg50
            """)
    }()

    private static let odd = AcceptCase.cases(
        .frames,
        """
        explicit | text/html | 406
        explicit | application/dicom | 406
        explicit | multipart/related; type="application/dicom" | 406
        explicit | multipart/mixed; type="application/octet-stream" | 406
        explicit | image/png | 406
        explicit | text/html, application/xhtml+xml, */*;q=0.8 | [application/octet-stream] explicit
        explicit | multipart/related; type="application/octet-stream; transfer-syntax=*" | 406
        explicit | garbage, application/octet-stream | application/octet-stream explicit
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=1.2.3.4.5 | 406
        explicit | multipart/related; type="application/octet-stream"; unknown=1 | [application/octet-stream] explicit
        """)

    static let severalFrames = AcceptCase.cases(
        .frames,
        """
        explicit | */* | [application/octet-stream] explicit
        explicit | application/octet-stream | 406
        jls80    | image/jls | 406
        jls80    | image/jls, multipart/related; type="image/jls"; q=0.1 | [image/jls] jls80
        jls80    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jls80
        """)

    /// `http.compactFrames: htj2k`: native frames go out compressed where the caller takes whatever is stored.
    static let compactFrames = AcceptCase.cases(
        .frames,
        """
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj202
        implicit | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj202
        big      | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] htj202
        jls80    | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream] jls80
        explicit | multipart/related; type="application/octet-stream" | [application/octet-stream] explicit
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=explicit | [application/octet-stream] explicit
        explicit | */* | [application/octet-stream] explicit
        """)

    /// A caller that names no transfer syntax gets Explicit VR Little Endian (PS3.18 Section 8.7.3.2).
    static let objects = AcceptCase.cases(
        .objects,
        """
        explicit | multipart/related; type="application/dicom" | [application/dicom] explicit
        implicit | multipart/related; type="application/dicom" | [application/dicom] explicit
        big      | multipart/related; type="application/dicom" | [application/dicom] explicit
        deflated | multipart/related; type="application/dicom" | [application/dicom] explicit
        jls80    | multipart/related; type="application/dicom" | [application/dicom] explicit
        j2k90    | multipart/related; type="application/dicom" | [application/dicom] explicit
        htj202   | multipart/related; type="application/dicom" | [application/dicom] explicit
        mpeg102  | multipart/related; type="application/dicom" | [application/dicom] mpeg102
        private  | multipart/related; type="application/dicom" | [application/dicom] private
        explicit | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] explicit
        implicit | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] implicit
        big      | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] big
        deflated | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] deflated
        jls80    | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] jls80
        mpeg102  | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] mpeg102
        private  | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] private
        jls80    | multipart/related; type="application/dicom"; transfer-syntax=j2k90 | [application/dicom] j2k90
        explicit | multipart/related; type="application/dicom"; transfer-syntax=htj202 | [application/dicom] htj202
        explicit | multipart/related; type="application/dicom"; transfer-syntax="jls80" | [application/dicom] jls80
        mpeg102  | multipart/related; type="application/dicom"; transfer-syntax=explicit | 406
        explicit | multipart/related; type="application/dicom"; transfer-syntax=mpeg102 | 406
        explicit | multipart/related; type="application/dicom"; transfer-syntax=j2k91 | 406
        explicit | multipart/related; type="application/dicom"; transfer-syntax=big | 406
        j2k90    | multipart/related; type="application/dicom"; transfer-syntax=jls80; q=0.9, multipart/related; type="application/dicom"; transfer-syntax=explicit; q=0.5 | [application/dicom] jls80
        j2k90    | multipart/related; type="application/dicom"; transfer-syntax=jls80, multipart/related; type="application/dicom"; transfer-syntax=j2k90 | [application/dicom] j2k90
        explicit | application/dicom | application/dicom explicit
        jls80    | application/dicom; transfer-syntax=* | application/dicom jls80
        jls80    | application/dicom | application/dicom explicit
        explicit | application/* | application/dicom explicit
        explicit | application/zip | application/zip explicit
        jls80    | application/zip; transfer-syntax=* | application/zip jls80
        explicit | */* | [application/dicom] explicit
        explicit | text/html, application/xhtml+xml, */*;q=0.8 | [application/dicom] explicit
        explicit | image/jpeg | 406
        explicit | multipart/related; type="image/jpeg" | 406
        explicit | application/dicom+json | 406
        explicit | application/json | 406
        """)

    static let manyObjects = AcceptCase.cases(
        .objects,
        """
        explicit | */* | [application/dicom] explicit
        explicit | application/dicom | 406
        explicit | application/zip | application/zip explicit
        explicit | application/dicom, application/zip;q=0.1 | application/zip explicit
        explicit | multipart/related; type="application/dicom", application/zip;q=0.5 | [application/dicom] explicit
        explicit | multipart/related; type="application/zip" | 406
        jls80    | multipart/related; type="application/dicom"; transfer-syntax=* | [application/dicom] jls80
        """)

    static let metadata = AcceptCase.cases(
        .metadata,
        """
        explicit | application/dicom+json | application/dicom+json
        explicit | application/dicom+json, multipart/related; type="application/octet-stream"; transfer-syntax="*" | application/dicom+json
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax="*", application/dicom+json | application/dicom+json
        explicit | application/json | application/json
        explicit | application/dicom+json; charset=utf-8 | application/dicom+json
        explicit | application/dicom+json; charset=UTF-8 | application/dicom+json
        explicit | application/dicom+json; charset=iso-8859-1 | 406
        explicit | application/dicom+json; charset=iso-8859-1, application/dicom+json | application/dicom+json
        explicit | multipart/related; type="application/dicom+xml" | [application/dicom+xml]
        explicit | application/dicom+xml | application/dicom+xml
        explicit | application/dicom+xml;q=0.9, application/dicom+json;q=0.8 | application/dicom+xml
        explicit | application/dicom+json;q=0.9, multipart/related; type="application/dicom+xml" | [application/dicom+xml]
        explicit | */* | application/dicom+json
        explicit | application/* | application/dicom+json
        explicit | text/html, */*;q=0.1 | application/dicom+json
        explicit | multipart/related; type="application/dicom+json" | 406
        explicit | text/html | 406
        explicit | image/jpeg | 406
        explicit | application/dicom+json;q=0 | 406
        """)

    static let rendered =
        AcceptCase.cases(
            .renderedImage,
            """
            explicit | */* | image/jpeg
            explicit | image/jpeg | image/jpeg
            explicit | image/png | image/png
            explicit | image/* | image/jpeg
            explicit | image/png, image/jpeg;q=0.9 | image/png
            explicit | image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8 | image/jpeg
            explicit | multipart/related; type="image/jpeg" | [image/jpeg]
            explicit | image/gif | 406
            explicit | image/jp2 | 406
            explicit | video/mp4 | 406
            explicit | application/pdf | 406
            explicit | application/dicom | 406
            """)
        + AcceptCase.cases(
            .renderedFrames,
            """
            explicit | */* | image/jpeg
            explicit | image/gif | image/gif
            explicit | image/png | image/png
            explicit | video/mp4 | 406
            explicit | video/mp4, image/gif;q=0.5 | image/gif
            """)
        + AcceptCase.cases(
            .renderedVideo,
            """
            mpeg102 | */* | video/mp4
            mpeg102 | video/mp4 | video/mp4
            mpeg102 | video/* | video/mp4
            mpeg102 | image/jpeg | 406
            """)
        + AcceptCase.cases(
            .renderedDocument,
            """
            explicit | */* | application/pdf
            explicit | application/pdf | application/pdf
            explicit | text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8 | application/pdf
            explicit | image/jpeg | 406
            """)
        + AcceptCase.cases(
            .thumbnail,
            """
            explicit | */* | image/jpeg
            explicit | image/jpeg | image/jpeg
            explicit | image/png | image/png
            explicit | image/gif | 406
            explicit | multipart/related; type="image/jpeg" | [image/jpeg]
            """)

    static let bulkData = AcceptCase.cases(
        .bulkData,
        """
        explicit | */* | application/octet-stream
        explicit | application/octet-stream | application/octet-stream
        explicit | multipart/related; type="application/octet-stream" | [application/octet-stream]
        explicit | multipart/related; type=application/octet-stream | [application/octet-stream]
        explicit | multipart/related; type="*/*" | [application/octet-stream]
        explicit | multipart/related; type="application/octet-stream"; transfer-syntax=* | [application/octet-stream]
        explicit | application/* | application/octet-stream
        explicit | application/pdf | 406
        explicit | image/jpeg | 406
        """)

    static let documents = AcceptCase.cases(
        .bulkData,
        """
        explicit | multipart/related; type="application/pdf", multipart/related; type="application/octet-stream" | [application/pdf]
        explicit | multipart/related; type="application/octet-stream" | [application/octet-stream]
        explicit | application/pdf | application/pdf
        explicit | application/octet-stream | application/octet-stream
        explicit | */* | application/pdf
        explicit | image/jpeg | 406
        """)
}
