import Feedback

/// How complaints and bounces brake campaigns.
struct BrakeSettings: Sendable {
    let brake: ComplaintBrake
    /// Of the window that counts.
    let hours: Int
    /// Mails an hour of a campaign that is slowed.
    let slowRate: Int

    /// - Throws: ``SettingError``
    init(_ settings: Settings) throws {
        brake = ComplaintBrake(
            complaints: try Self.thresholds(.complaintBrake, settings),
            hardBounces: try Self.thresholds(.bounceBrake, settings),
            leastVolume: Int64(try settings.number(.brakeVolume, in: 1...1_000_000_000)))
        hours = try settings.number(.brakeHours, in: 1...FeedbackHours.keptHours)
        slowRate = try settings.number(.brakeRate, in: 1...100_000_000)
    }

    private static func thresholds(_ setting: Setting, _ settings: Settings) throws -> ComplaintBrake.Thresholds? {
        let text = settings.value(setting)
        guard text.lowercased() != "off" else { return nil }
        guard let thresholds = ComplaintBrake.Thresholds(percentages: text) else {
            throw SettingError(
                setting: setting,
                problem: "\(text) is neither off nor three rising percentages, as in \(setting.defaultValue ?? "")")
        }
        return thresholds
    }
}
