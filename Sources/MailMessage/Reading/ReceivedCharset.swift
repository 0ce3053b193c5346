import Glibc

/// Turns text of any charset into UTF-8. What is no character becomes `?`.
///
/// Only charsets on a list of ours reach the C library's converter: it has others, hardly tested, that mail in the wild
/// never uses and that have been the way in for attackers.
enum ReceivedCharset {
    /// - Parameter label: in small letters; an unknown one, or none, means UTF-8 where the text is that, else
    ///   windows-1252.
    static func decode(_ octets: [UInt8], label: String?) -> [UInt8] {
        let name = label.flatMap { $0.utf8.count <= longestLabel ? names[$0] : nil }
        let isPlain = !octets.contains { $0 >= 0x80 || $0 == 0x1B }
        if isPlain, name.map({ !wide.contains($0) }) ?? true { return octets }
        if let name, name != "UTF-8", let converted = convert(octets, from: name) { return converted }
        if isUTF8(octets) { return octets }
        if name == "UTF-8" { return Array(String(decoding: octets, as: UTF8.self).utf8) }
        return convert(octets, from: "CP1252") ?? Array(String(decoding: octets, as: UTF8.self).utf8)
    }

    private static func isUTF8(_ octets: [UInt8]) -> Bool {
        String(validating: octets, as: UTF8.self) != nil
    }

    private static func convert(_ octets: [UInt8], from name: String) -> [UInt8]? {
        guard let converter = iconv_open("UTF-8", name), converter != iconv_t(bitPattern: -1) else { return nil }
        defer { iconv_close(converter) }
        var input = octets
        var result: [UInt8] = []
        result.reserveCapacity(octets.count * 2)
        var buffer = [CChar](repeating: 0, count: 4_096)
        input.withUnsafeMutableBytes { input in
            var from = input.baseAddress?.assumingMemoryBound(to: CChar.self)
            var left = input.count
            while left > 0 {
                let status = buffer.withUnsafeMutableBufferPointer { output in
                    var to = output.baseAddress
                    var room = output.count
                    let status = iconv(converter, &from, &left, &to, &room)
                    let error = errno
                    result += UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<(output.count - room)])
                    return status == Int(bitPattern: UInt.max) ? error : 0
                }
                guard status == EILSEQ || status == EINVAL else { continue }
                result.append(UInt8(ascii: "?"))
                from = from?.advanced(by: 1)
                left -= 1
            }
        }
        return result
    }

    /// Charsets in which ASCII octets may stand for something else.
    private static let wide: Set<String> = ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-7", "ISO-2022-JP", "ISO-2022-KR"]

    /// Octets of a name, and more. Longer ones, from strangers, are not looked up.
    private static let longestLabel = 40

    private static let names: [String: String] = {
        var names = [
            "utf-8": "UTF-8", "utf8": "UTF-8", "us-ascii": "UTF-8", "ascii": "UTF-8", "utf-7": "UTF-7",
            "utf-16": "UTF-16", "utf-16le": "UTF-16LE", "utf-16be": "UTF-16BE", "iso-8859-1": "CP1252",
            "latin1": "CP1252", "iso-2022-jp": "ISO-2022-JP", "shift_jis": "CP932", "shift-jis": "CP932",
            "sjis": "CP932", "x-sjis": "CP932", "cp932": "CP932", "windows-31j": "CP932", "euc-jp": "EUC-JP-MS",
            "x-euc-jp": "EUC-JP-MS", "euc-kr": "CP949", "ks_c_5601-1987": "CP949", "cp949": "CP949",
            "iso-2022-kr": "ISO-2022-KR", "gb2312": "GB18030", "gbk": "GB18030", "gb18030": "GB18030",
            "x-gbk": "GB18030", "big5": "BIG5-HKSCS", "big5-hkscs": "BIG5-HKSCS", "koi8-r": "KOI8-R",
            "koi8-u": "KOI8-U", "macintosh": "MACINTOSH", "ibm850": "IBM850", "cp850": "IBM850", "ibm437": "IBM437",
            "cp437": "IBM437", "cp866": "CP866", "ibm866": "CP866", "tis-620": "TIS-620",
        ]
        for part in [2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16] { names["iso-8859-\(part)"] = "ISO-8859-\(part)" }
        for page in 1_250...1_258 {
            names["windows-\(page)"] = "CP\(page)"
            names["cp\(page)"] = "CP\(page)"
        }
        return names
    }()
}
