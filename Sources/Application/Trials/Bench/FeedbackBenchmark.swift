import Feedback
import OperatorAPI

/// Returned mails parsed and classified on one core, from memory.
struct FeedbackBenchmark {
    let mails: [[UInt8]]
    let seconds: Int

    struct Result: BenchReport {
        let machine: Machine
        let mails: Int
        let bytes: Int
        let seconds: Double
        let mailsPerSecond: Double

        var title: String { "Feedback: \(grouped(mails)) mails" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable()
            table.add("mails", "\(grouped(mails)), \(grouped(bytes / max(1, mails))) bytes on average")
            table.add("rate", "\(grouped(Int(mailsPerSecond)))/s for a second of one core's time")
            table.add("machine", machine.text)
            return table.text
        }
    }

    /// Goes through the mails until their time is up; counts the processor's time, so that neighbours do not matter.
    func run() -> Result {
        let machine = Machine()
        for mail in mails { _ = MailClassifier.classify(mail) }
        let start = ProcessUsage.cpuSeconds()
        var count = 0
        while ProcessUsage.cpuSeconds() - start < Double(seconds) {
            for mail in mails { _ = MailClassifier.classify(mail) }
            count += mails.count
        }
        let used = ProcessUsage.cpuSeconds() - start
        return Result(
            machine: machine.atEnd, mails: mails.count, bytes: mails.reduce(0) { $0 + $1.count }, seconds: used,
            mailsPerSecond: Double(count) / used)
    }
}
