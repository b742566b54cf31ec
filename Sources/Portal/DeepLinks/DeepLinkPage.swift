// What a link from the EMR says when there is nothing to show: in both languages, without a script.

import Encounters
import Foundation
import Hummingbird
import Records
import Web

enum DeepLinkPage {
    /// Seconds after which the page asks again.
    private static let again = 15

    private struct Words {
        let vi: String
        let en: String
    }

    static let unknown = page(
        .notFound, Words(vi: "Không tìm thấy", en: "Not found"),
        Words(
            vi: "Kho ảnh không biết số này. Hãy kiểm tra lại trong bệnh án, hoặc mở lại từ đó.",
            en: "The archive does not know this number. Check it in the medical record, or open it from there again."))
    static let forbidden = page(
        .forbidden, Words(vi: "Không được phép xem", en: "Not allowed"),
        Words(
            vi: "Tài khoản này không được xem ảnh ở đây, hoặc không có ảnh nào như vậy. "
                + "Hãy hỏi khoa chẩn đoán hình ảnh, hoặc đăng nhập bằng tài khoản khác.",
            en: "This account may not see these images, or there are none. Ask the radiology department, or sign in "
                + "with another account."))
    static let ambiguous = page(
        .conflict, Words(vi: "Số này của nhiều người bệnh", en: "A number of several patients"),
        Words(
            vi: "Số này thuộc về nhiều người bệnh. Để không xem nhầm ảnh, hãy mở bằng liên kết có mã người bệnh.",
            en: "Several patients have this number. So that nobody sees the wrong images, the link must name the "
                + "patient."))

    static func wrong(_ detail: String) -> Response {
        page(
            .badRequest, Words(vi: "Liên kết không đúng", en: "The link is not right"),
            Words(vi: "Phần mềm bệnh viện đã gọi sai cách.", en: detail))
    }

    /// Visits of one number at several facilities.
    static func choice(_ issuers: [String], number: String) -> Response {
        let place = encoded(number)
        let links = issuers.map { issuer in
            "<li><a href=\"/view/encounter/\(place)?issuer=\(encoded(issuer))\">\(escaped(issuer))</a></li>"
        }
        return page(
            .multipleChoices, Words(vi: "Cơ sở nào?", en: "Which facility?"),
            Words(
                vi: "Nhiều cơ sở có lượt khám mang số này.", en: "Several facilities have a visit of this number."),
            more: "<ul>\(links.joined())</ul>")
    }

    /// Ordered, and no images yet: asks again by itself.
    static func waiting(_ orders: [OrderReport]) -> Response {
        let rows = orders.map { order in
            let what = order.details.code.meaning.isEmpty ? order.details.code.value : order.details.code.meaning
            let (ordered, planned) = (moment(order.details.orderedAt), moment(order.details.scheduledAt))
            let state = states[ProcedureState(word: order.state)] ?? Words(vi: order.state, en: order.state)
            return """
                <li><b>\(escaped(what.isEmpty ? order.details.modality : what))</b> \(escaped(order.details.modality))<br>
                <span lang="vi">Chỉ định lúc \(ordered), dự kiến \(planned): \(escaped(state.vi)).</span><br>
                <span class="quiet">Ordered at \(ordered), planned for \(planned): \(escaped(state.en)).</span></li>
                """
        }
        return page(
            .ok, Words(vi: "Chưa có hình ảnh", en: "No images yet"),
            Words(
                vi: "Trang này tự tải lại và mở ảnh ngay khi có.",
                en: "This page asks again by itself and opens the images once they are there."),
            more: rows.isEmpty ? "" : "<ul>\(rows.joined())</ul>", refreshes: true)
    }

    private static let states: [ProcedureState: Words] = [
        .ordered: Words(vi: "đã chỉ định", en: "ordered"), .scheduled: Words(vi: "đã hẹn", en: "scheduled"),
        .arrived: Words(vi: "người bệnh đã đến", en: "the patient is here"),
        .inProgress: Words(vi: "đang chụp", en: "under examination"),
        .completed: Words(vi: "đã chụp xong", en: "done"), .reported: Words(vi: "đã đọc", en: "reported"),
        .released: Words(vi: "đã trả kết quả", en: "released"), .cancelled: Words(vi: "đã hủy", en: "cancelled"),
    ]

    /// `21/11/2026 09:30`
    private static func moment(_ text: String) -> String {
        guard text.count >= 8 else { return "–" }
        let digits = Array(text)
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        let day = "\(part(6..<8))/\(part(4..<6))/\(part(0..<4))"
        return escaped(digits.count >= 12 ? "\(day) \(part(8..<10)):\(part(10..<12))" : day)
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private static func page(
        _ status: HTTPResponse.Status, _ title: Words, _ text: Words, more: String = "", refreshes: Bool = false
    ) -> Response {
        let html = """
            <!doctype html>
            <html lang="vi">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title.vi) · \(title.en) · Phim</title>
            <link rel="icon" href="/site/icon.svg">
            <link rel="stylesheet" href="/site/site.css">
            </head>
            <body class="note">
            <main>
            <h1>\(title.vi)</h1>
            <p>\(text.vi)</p>
            <div lang="en"><h2>\(title.en)</h2>
            <p class="quiet">\(escaped(text.en))</p></div>
            \(more)
            <p><a href="/">Phim</a></p>
            </main>
            </body>
            </html>
            """
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
            .contentSecurityPolicy: "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
            .xContentTypeOptions: "nosniff", PageHeader.referrerPolicy: "no-referrer",
        ]
        if refreshes { headers[refresh] = "\(again)" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: html)))
    }

    private static let refresh = HTTPFields.Element.Name("Refresh")!
}
