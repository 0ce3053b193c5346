import Foundation
import TestSupport

/// Runs Python where it has what a test needs.
struct Python {
    private let program: String

    /// Nil, after printing why the test is skipped, where no Python has the module.
    init?(with module: String) {
        let found = ["/usr/bin/env python3", "/usr/bin/python3"].first { program in
            (try? Self.run(program, ["-c", "import \(module)"], input: Data()))?.status == 0
        }
        guard let found else {
            print("skipped: no python3 with the module \(module)")
            return nil
        }
        program = found
    }

    struct Failed: Error {
        let errors: String
    }

    /// Gives a JSON value to a script of this folder, and reads another from it.
    func call<Result: Decodable>(_ script: String, _ input: some Encodable, as type: Result.Type) throws -> Result {
        let path = ProjectFolder.path + "/Tests/ProviderWebhooksTests/Support/" + script
        let done = try Self.run(program, [path], input: try JSONEncoder().encode(input))
        guard done.status == 0 else { throw Failed(errors: done.errors) }
        return try JSONDecoder().decode(Result.self, from: done.output)
    }

    private static func run(
        _ program: String, _ arguments: [String], input: Data
    ) throws -> (status: Int32, output: Data, errors: String) {
        let words = program.split(separator: " ").map(String.init)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = words.dropFirst() + arguments
        let (standardInput, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: input)
        try standardInput.fileHandleForWriting.close()
        let written = output.fileHandleForReading.readDataToEndOfFile()
        let told = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, written, told)
    }
}
