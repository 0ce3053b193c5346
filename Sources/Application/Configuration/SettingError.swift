/// A setting that cannot be used; its description is meant for the operator.
struct SettingError: Error, CustomStringConvertible {
    private let name: String
    let problem: String

    init(setting: Setting, problem: String) {
        name = setting.key
        self.problem = problem
    }

    /// What is wrong with the file of all settings.
    init(settingsFile problem: String) {
        name = "config"
        self.problem = problem
    }

    var description: String { "setting \(name): \(problem)" }
}
