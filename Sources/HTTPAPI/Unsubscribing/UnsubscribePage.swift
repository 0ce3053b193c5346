import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// A page for people behind List-Unsubscribe. It has no scripts, loads nothing, sets no cookies; ``ResponseHeaders``
/// keep its address, which holds the token, from other sites.
struct UnsubscribePage: Sendable {
    enum Kind: Sendable {
        /// Asks; the button posts to the page's own address.
        case ask
        case done
        /// The link is not one of ours.
        case broken
        /// The reader's network asks too fast.
        case busy
    }

    let kind: Kind
    /// The domain that the mail came from; nil where it is not known.
    let sender: String?
    let tag: String
    let words: UnsubscribeWords

    init(_ kind: Kind, from sender: String? = nil, for languages: AcceptLanguage) {
        self.kind = kind
        self.sender = sender
        (tag, words) = UnsubscribeWords.best(for: languages)
    }

    private var status: HTTPResponse.Status {
        switch kind {
        case .ask, .done: .ok
        case .broken: .notFound
        case .busy: .tooManyRequests
        }
    }

    private var title: String {
        switch kind {
        case .ask: words.ask
        case .done: words.done
        case .broken: words.broken
        case .busy: words.busy
        }
    }

    private var content: String {
        switch kind {
        case .ask:
            """
            <p>\(named(words.question))</p><form method="post">\
            <input type="hidden" name="List-Unsubscribe" value="One-Click">\
            <button type="submit">\(Self.escaped(words.ask))</button></form>
            """
        case .done: #"<p role="status">\#(named(words.confirmation))</p>"#
        case .broken: "<p>\(Self.escaped(words.brokenHelp))</p>"
        case .busy: "<p>\(Self.escaped(words.busyHelp))</p>"
        }
    }

    /// The sentence with the sender's name, which runs from left to right in every language.
    private func named(_ sentence: String) -> String {
        let name = sender.map { #"<bdi dir="ltr">\#(Self.escaped($0))</bdi>"# } ?? "…"
        return sentence.split(separator: "%", omittingEmptySubsequences: false).map { Self.escaped(String($0)) }
            .joined(separator: name)
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    private static let style = """
        :root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif}\
        body{margin:0 auto;max-width:34rem;padding:2rem 1rem}\
        button{font:inherit;min-height:2.75rem;padding:.5rem 1.5rem;cursor:pointer}
        """

    /// Only this style: nothing that a page might hold by mistake is loaded or run.
    private static let policy: String = {
        let digest = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return """
            default-src 'none'; style-src 'sha256-\(digest)'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
            """
    }()

    var html: String {
        """
        <!doctype html><html lang="\(tag)"\(words.isRightToLeft ? #" dir="rtl""# : "")><head><meta charset="utf-8">\
        <title>\(Self.escaped(title))</title><meta name="viewport" content="width=device-width,initial-scale=1">\
        <meta name="robots" content="noindex"><style>\(Self.style)</style></head>\
        <body><main><h1>\(Self.escaped(title))</h1>\(content)</main></body></html>
        """
    }

    func response() -> Response {
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8",
            .contentLanguage: tag,
            .contentSecurityPolicy: Self.policy,
            .vary: "Accept-Language",
        ]
        headers[.robotsTag] = "noindex, nofollow"
        if kind == .busy { headers[.retryAfter] = "60" }
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }
}

extension HTTPField.Name {
    static let robotsTag = HTTPField.Name("X-Robots-Tag")!
}
