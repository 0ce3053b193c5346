/// What other template languages write and this one does not.
///
/// It is recognised so that it is refused with the right form beside it. Otherwise `{{else}}` would be the name of a
/// variable that nobody has, and `default: "friend"` a fallback that readers see.
enum TemplateDialect {
    // MARK: Names

    /// What to write instead of a name that is an expression, a keyword or a call elsewhere; nil for a name.
    ///
    /// - Parameters:
    ///   - name: what stands between the braces, without our signs, the fallback and blanks around it.
    ///   - section: the innermost open section.
    static func advice(onName name: String, in section: String?) -> String? {
        let section = section ?? "name"
        let words = name.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true).map(String.init)
        guard let first = words.first else { return nil }
        let rest = words.count > 1 ? words[1] : ""
        if let advice = advice(onKeyword: first, rest, section) { return advice }
        if let advice = advice(onPath: name) { return advice }
        if calls.contains(first), rest.contains("\"") || rest.contains("'") {
            return "functions are not known; a fallback is written {{name|friend}}"
        }
        return advice(onExpression: name)
    }

    private static func advice(onKeyword word: String, _ rest: String, _ section: String) -> String? {
        let subject = rest.isEmpty ? section : plainName(rest)
        switch word {
        case "else", "elif", "elsif", "elseif":
            return "{{\(word)}} is not known; write {{/\(section)}}{{^\(section)}}…{{/\(section)}}"
        case "endif", "endfor", "endeach", "endunless", "endwith", "endcase", "endblock", "endforeach":
            return "{{\(word)}} is not known; a section ends with {{/\(section)}}"
        case "if", "ifdef", "isset":
            return rest.isEmpty ? nil : "{{\(word) …}} is not known; write {{#\(subject)}}…{{/\(subject)}}"
        case "unless", "ifnot":
            return rest.isEmpty ? nil : "{{\(word) …}} is not known; write {{^\(subject)}}…{{/\(subject)}}"
        case "each", "foreach":
            return rest.isEmpty ? nil : "{{\(word) …}} is not known; write {{#\(subject)}}…{{/\(subject)}}"
        case "for" where rest.contains(" in "):
            let list = plainName(rest.split(separator: " ").last.map(String.init) ?? "items")
            return "{{for …}} is not known; write {{#\(list)}}…{{/\(list)}}"
        case "with" where rest.hasPrefix(".") || rest.hasPrefix("$"),
            "range" where rest.hasPrefix(".") || rest.hasPrefix("$"):
            return "{{\(word) …}} is not known; write {{#\(subject)}}…{{/\(subject)}}"
        case "lookup", "include", "template", "partial", "block", "extends", "define", "import", "macro", "set",
            "assign", "capture":
            return rest.contains("\"") || rest.contains("'") || rest.contains("=") || word == "lookup" && !rest.isEmpty
                ? "{{\(word) …}} is not known; this language has variables, sections and fallbacks only" : nil
        default: return nil
        }
    }

    /// Sections that Handlebars and its kin open with a helper's name.
    ///
    /// - Parameter name: what follows `{{#` or `{{^`.
    static func advice(onSection name: String) -> String? {
        let words = name.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard words.count > 1, let helper = words.first, helpers.contains(helper) else { return nil }
        let subject = plainName(words[1])
        let sign = helper == "unless" || helper == "not" ? "^" : "#"
        return "{{#\(helper) …}} is not known; write {{\(sign)\(subject)}}…{{/\(subject)}}"
    }

    private static let helpers: Set<String> = [
        "if", "unless", "each", "with", "not", "foreach", "for", "while", "eq", "ne", "neq", "isnt", "equal", "equals",
        "ifEquals", "ifEqual", "ifEq", "ifCond", "compare", "gt", "gte", "lt", "lte", "greaterThan", "lessThan",
        "notEquals",
    ]

    private static let calls: Set<String> = [
        "default", "coalesce", "fallback", "ifEmpty", "defaultIfEmpty", "formatDate", "insert", "upper", "lower",
        "capitalize", "printf", "print", "date", "replace", "truncate", "join", "concat", "math", "add", "subtract",
    ]

    /// Handlebars paths, Go's dot, subscripts.
    private static func advice(onPath name: String) -> String? {
        if name == "this" { return "{{this}} is not known; write {{.}}" }
        for prefix in ["this.", "this/", "../", "./", "@root.", "self."] where name.hasPrefix(prefix) {
            let inner = plainName(String(name.dropFirst(prefix.count)).replacing("../", with: ""))
            return "paths such as \(prefix) are not known; write {{\(inner)}}, which is looked up outwards"
        }
        if name.hasPrefix("loop.") || name.hasPrefix("forloop.") {
            return "the position in a list is not known; upload it as a value of the item"
        }
        if name.hasPrefix("@"), dataVariables.contains(String(name.dropFirst().prefix { $0 != "." && $0 != "/" })) {
            return "{{\(name.prefix { $0 != "." && $0 != "/" })}} is not known; upload it as a value of the item"
        }
        guard let bracket = name.firstIndex(of: "["), name.hasSuffix("]") else { return nil }
        if bracket == name.startIndex {
            let inner = plainName(String(name.dropFirst().dropLast()))
            return "brackets are not known; write {{\(inner)}}"
        }
        let inside = name[name.index(after: bracket)...].dropLast()
        let isSubscript = name[name.index(before: bracket)] != " " && !inside.isEmpty
        guard isSubscript, inside.allSatisfy(\.isNumber) || inside.hasPrefix("\"") || inside.hasPrefix("'") else {
            return nil
        }
        return "subscripts are not known; write {{order.total}} for a field, {{#items}}…{{/items}} for a list"
    }

    private static let dataVariables: Set<String> = [
        "index", "key", "first", "last", "root", "odd", "even", "level", "length", "partial-block", "value", "..",
        "index1", "index_1",
    ]

    /// Operators, texts in quotes, calls. A column's name may have blanks and brackets as in `Price (EUR)`, so a call
    /// needs its bracket right behind a word, and something that only a call has.
    private static func advice(onExpression name: String) -> String? {
        let operators = ["??", "?:", "?.", "&&", "==", "!=", ">=", "<=", "=>", " or ", " ~ ", " * "]
        let hasTernary = name.contains("?") && (name.contains(" : ") || name.contains("\"") || name.contains("'"))
        if operators.contains(where: name.contains) || hasTernary || name.contains("=") {
            return "expressions are not known; a fallback is written {{name|friend}}"
        }
        if name.hasPrefix("~") || name.hasSuffix("~") || name.hasPrefix("-") || name.hasSuffix(" -") {
            return "signs against white space are not known; write {{name}}"
        }
        if name.hasPrefix("%") || name.hasSuffix("%}") {
            return "{{%…%}} is not known; write {{#name}}…{{/name}} for a section"
        }
        if name.contains("\"") || hasQuotedText(name) {
            return "a tag holds the name of a variable, not text in quotes; a fallback is written {{name|friend}}"
        }
        return isCall(name) ? "functions are not known; a fallback is written {{name|friend}}" : nil
    }

    /// An apostrophe that begins a word, unlike the one in `Mother's name`.
    private static func hasQuotedText(_ name: String) -> Bool {
        var previous: Character = " "
        for character in name {
            if character == "'" || character == "`", " (,[=:".contains(previous) { return true }
            previous = character
        }
        return false
    }

    private static func isCall(_ name: String) -> Bool {
        guard let bracket = name.firstIndex(of: "("), bracket > name.startIndex, name.contains(")") else {
            return false
        }
        let inside = name[name.index(after: bracket)...]
        let word = name[..<bracket].split(whereSeparator: { $0 == "." || $0 == " " }).last.map(String.init) ?? ""
        guard name[name.index(before: bracket)] != " " else { return false }
        return inside.hasPrefix(")") || filters.contains(word) || calls.contains(word)
            || name[..<bracket].contains(".") && !name[..<bracket].contains(" ")
    }

    // MARK: Fallbacks

    /// What to write instead of a filter behind the bar; nil for text that readers may see.
    static func advice(onFallback fallback: String, of name: String) -> String? {
        let name = plainName(name)
        if fallback.hasPrefix("|") { return "{{\(name)||…}} is not known; write {{\(name)|friend}}" }
        if isQuoted(fallback) { return "a fallback stands without quotes; write {{\(name)|friend}}" }
        for piece in fallback.split(separator: "|") {
            let piece = piece.drop { $0 == " " }
            guard let filter = filter(String(piece)) else { continue }
            return isFallbackFilter(filter)
                ? "the filter \(filter) is not known; write {{\(name)|friend}}"
                : "the filter \(filter) is not known; write {{\(name)}}, or {{\(name)|friend}} with a fallback"
        }
        return nil
    }

    private static func isQuoted(_ text: String) -> Bool {
        guard text.count >= 2, let first = text.first, let last = text.last else { return false }
        return first == last && (first == "\"" || first == "'" || first == "`")
    }

    private static func isFallbackFilter(_ name: String) -> Bool {
        ["default", "fallback", "default_if_none", "or", "ifempty", "if_blank", "coalesce", "else"].contains(name)
    }

    /// The filter that `text` calls: a known one alone or with arguments, or any word with a quoted argument.
    private static func filter(_ text: String) -> String? {
        let word = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard let initial = word.first, initial.isLetter, word.utf8.count <= 32 else { return nil }
        let name = String(word)
        let rest = text[word.endIndex...]
        let argument = rest.drop { $0 == " " }
        let isKnown = filters.contains(name)
        guard let sign = argument.first else { return isKnown ? name : nil }
        let behindSign = argument.dropFirst().drop { $0 == " " }
        let hasQuote = behindSign.first == "\"" || behindSign.first == "'"
        switch sign {
        case ":": return isKnown && !argument.hasPrefix("://") || hasQuote ? name : nil
        case "(": return rest.hasPrefix("(") && (isKnown || hasQuote || behindSign.hasPrefix(")")) ? name : nil
        case "=": return isKnown || hasQuote ? name : nil
        case "\"", "'": return isKnown || name == "with" ? name : nil
        case "0"..."9": return isKnown && rest.hasPrefix(" ") && name.hasPrefix("trunc") ? name : nil
        default: return nil
        }
    }

    /// Filters of Liquid, Jinja, Twig, Django, Go templates and Mustache dialects. A fallback that is nothing but such
    /// a word is far more often a filter; `{{^plan}}title{{/plan}}` shows it all the same.
    private static let filters: Set<String> = [
        "abs", "append", "at_least", "at_most", "capfirst", "capitalize", "capitalise", "ceil", "coalesce", "compact",
        "currency", "date", "date_format", "datetime", "default", "default_if_none", "divided_by", "downcase", "e",
        "escape", "escape_once", "escapejs", "fallback", "filesizeformat", "first", "float", "floor", "floatformat",
        "force_escape", "format", "h", "html", "humanize", "if_blank", "ifempty", "int", "intcomma", "iriencode",
        "join",
        "json", "json_encode", "last", "length", "linebreaks", "linebreaksbr", "list", "ljust", "lower", "lowerCase",
        "lowercase", "lstrip", "map", "md5", "minus", "modulo", "money", "newline_to_br", "nl2br", "number",
        "number_format", "number_with_delimiter", "or", "pluralize", "plus", "prepend", "printf", "quote", "raw",
        "remove", "remove_first", "replace", "replace_first", "reverse", "rjust", "round", "rstrip", "safe", "safeHTML",
        "sha256", "size", "slice", "slugify", "sort", "split", "squote", "strftime", "strip", "strip_html",
        "strip_newlines", "stringformat", "striptags", "sum", "time", "timesince", "times", "title", "titleCase",
        "titlecase", "titleize", "to_json", "toLowerCase", "toUpperCase", "tojson", "trim", "trunc", "truncate",
        "truncatechars", "truncatewords", "truncate_words", "uniq", "unescape", "upcase", "upper", "upperCase",
        "uppercase", "urldecode", "url_decode", "url_encode", "urlencode", "urlize", "urlquery", "where", "wordcount",
        "wordwrap", "xmlescape", "yesno",
    ]

    // MARK: Signs of other languages

    /// The first tag in another language's own signs, where only a tag looks like it.
    static func foreignTag(in source: [UInt8]) -> (position: Int, advice: String)? {
        var index = 0
        while index + 1 < source.count {
            if let advice = foreignTag(source, at: index) { return (index, advice) }
            index += 1
        }
        return nil
    }

    private static func foreignTag(_ source: [UInt8], at index: Int) -> String? {
        switch (source[index], source[index + 1]) {
        case (UInt8(ascii: "*"), UInt8(ascii: "|")):
            guard let inner = enclosed(source, after: index + 2, by: "|*", isMergeName) else { return nil }
            let name = inner.uppercased() == "UNSUB" ? "unsubscribe_url" : plainName(inner)
            return "*|…|* is a tag of another language; write {{\(name)}}"
        case (UInt8(ascii: "<"), UInt8(ascii: "%")):
            guard enclosed(source, after: index + 2, by: "%>", { _ in true }) != nil else { return nil }
            return "<%…%> is a tag of another language; write {{name}} or {{#name}}…{{/name}}"
        case (UInt8(ascii: "{"), UInt8(ascii: "%")):
            guard enclosed(source, after: index + 2, by: "%}", { _ in true }) != nil else { return nil }
            return "{%…%} is a tag of another language; write {{#name}}…{{/name}}"
        case (UInt8(ascii: "{"), UInt8(ascii: "#")):
            guard index == 0 || source[index - 1] != UInt8(ascii: "{"),
                enclosed(source, after: index + 2, by: "#}", { !$0.contains("{") }) != nil
            else { return nil }
            return "{#…#} is a comment of another language; write {{! note }}"
        case (UInt8(ascii: "%"), UInt8(ascii: "%")):
            guard let inner = enclosed(source, after: index + 2, by: "%%", isIdentifier) else { return nil }
            return "%%…%% is a tag of another language; write {{\(plainName(inner))}}"
        case (UInt8(ascii: "%"), UInt8(ascii: "r")):
            guard let inner = enclosed(source, after: index + 1, by: "%", isIdentifier), inner.hasPrefix("recipient.")
            else { return nil }
            return "%recipient.…% is a tag of another language; write {{\(plainName(String(inner.dropFirst(10))))}}"
        case (UInt8(ascii: "$"), UInt8(ascii: "[")):
            guard let inner = enclosed(source, after: index + 2, by: "]$", { _ in true }) else { return nil }
            return "$[…]$ is a tag of another language; write {{\(plainName(String(inner.prefix { $0 != "|" })))}}"
        default: return nil
        }
    }

    /// The text up to `end` if it is not empty, short, and `fits`.
    private static func enclosed(
        _ source: [UInt8], after start: Int, by end: StaticString, _ fits: (String) -> Bool
    ) -> String? {
        let end = end.withUTF8Buffer { Array($0) }
        var index = start
        while index + end.count <= min(source.count, start + 1_024) {
            if source[index] == end[0], source[index..<index + end.count].elementsEqual(end) {
                let inner = String(decoding: source[start..<index], as: UTF8.self)
                return index > start && fits(inner) ? inner : nil
            }
            index += 1
        }
        return nil
    }

    private static func isMergeName(_ text: String) -> Bool {
        text.utf8.count <= 128 && text.first.map { $0.isLetter || $0.isNumber || $0 == "_" } == true
            && !text.contains(where: \.isNewline) && !text.contains("|")
    }

    private static func isIdentifier(_ text: String) -> Bool {
        text.utf8.count >= 2 && text.first.map { $0.isASCII && $0.isLetter || $0 == "_" } == true
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
    }

    /// A name to show in advice: error texts hold no message text.
    private static func plainName(_ name: String) -> String {
        let word = String(name.drop { $0 == "." || $0 == "$" }).trimmingSpaces()
        let shown = TemplateName.shown(word)
        return shown.hasPrefix("{{") && !word.isEmpty ? word : "name"
    }
}
