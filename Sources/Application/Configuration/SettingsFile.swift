import StrictYAML

/// The operator's YAML file of settings: one `key: value` a line. All of it is checked, so that a misspelt key stops the
/// start and is not passed over.
enum SettingsFile {
    static func read(_ file: String) throws(SettingError) -> [Setting: String] {
        guard let text = OperatorFile.text(file) else {
            throw SettingError(settingsFile: "the file \(file) \(OperatorFile.cannotBeRead)")
        }
        return try values(of: text, named: file)
    }

    /// - Parameter file: what errors call it. They name keys and never values, which may be secret.
    static func values(of text: String, named file: String) throws(SettingError) -> [Setting: String] {
        do throws(YAMLError) {
            let fields = try YAMLDocument.read(text, named: file).fields(Setting.allCases.map(\.key))
            var values: [Setting: String] = [:]
            for (name, value) in fields.all {
                if let setting = Setting(rawValue: name) { values[setting] = try value.text() }
            }
            return values
        } catch {
            throw SettingError(settingsFile: error.description)
        }
    }
}
