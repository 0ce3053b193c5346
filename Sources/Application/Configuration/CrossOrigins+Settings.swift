import Foundation
import HTTPAPI

extension CrossOrigins {
    /// - Throws: ``SettingError`` for what no browser writes as the origin of a page: it would never match.
    init(_ settings: Settings) throws(SettingError) {
        var origins: Set<String> = []
        for part in (settings.text(.corsOrigin) ?? "").split(separator: ",") {
            let text = part.trimmingCharacters(in: .whitespaces)
            guard text != "*", text != "null" else {
                throw SettingError(setting: .corsOrigin, problem: "\(text) would be every page: name the pages' hosts")
            }
            guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty, url.user == nil,
                url.path.isEmpty, url.query == nil, url.fragment == nil, text == text.lowercased(),
                text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw SettingError(
                    setting: .corsOrigin,
                    problem: "\(text) is no origin such as https://app.example.com, without a path")
            }
            let isLocal = host == "localhost" || host == "127.0.0.1" || host == "[::1]"
            guard url.scheme == "https" || url.scheme == "http" && isLocal else {
                throw SettingError(setting: .corsOrigin, problem: "\(text): pages that call the API need https")
            }
            guard url.port != (url.scheme == "https" ? 443 : 80) else {
                throw SettingError(setting: .corsOrigin, problem: "\(text): browsers leave the usual port out")
            }
            origins.insert(text)
        }
        guard origins.count <= Self.most else {
            throw SettingError(setting: .corsOrigin, problem: "\(Self.most) origins at most")
        }
        self.init(origins)
    }

    private static let most = 100
}
