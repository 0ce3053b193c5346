import ArgumentParser

extension Option {
    /// `--key VALUE`, with the setting's own help.
    init<Given: ExpressibleByArgument>(_ setting: Setting) where Value == Given? {
        self.init(name: setting.name, help: setting.help)
    }
}

extension Option where Value == [String] {
    /// `--key VALUE`, as often as one likes, with the setting's own help.
    init(wrappedValue: [String], _ setting: Setting) {
        self.init(wrappedValue: wrappedValue, name: setting.name, parsing: .singleValue, help: setting.help)
    }
}

extension [String] {
    /// What an option that was repeated says, as the environment and the file say it; nil where it was not given.
    var joinedValue: String? { isEmpty ? nil : joined(separator: ",") }
}

extension Flag where Value == Bool {
    /// `--key`, with the setting's own help.
    init(wrappedValue: Bool, _ setting: Setting) {
        self.init(wrappedValue: wrappedValue, name: setting.name, help: setting.help)
    }
}

extension [Setting: String] {
    /// Those that were given. A flag that is not set says nothing: the environment or the file may set it.
    init(given values: [Setting: (any CustomStringConvertible)?]) {
        self = values.compactMapValues { value in
            if let flag = value as? Bool { flag ? "true" : nil } else { value?.description }
        }
    }
}
