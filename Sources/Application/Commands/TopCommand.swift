import ArgumentParser
import Delivery
import Foundation
import OperatorAPI

/// Shows a running node, again and again.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch the running server: lanes, rates, back-off, accounts.",
        discussion:
            "Keys: q ends, s sorts by another column, up and down scroll. Without a terminal one table is printed.")

    @OptionGroup var server: OperatorOptions
    @Flag(help: "Print one table and end.") var once = false
    @Flag(help: "Print the node's status as JSON and end.") var json = false

    func run() async throws {
        let client = try await server.client()
        guard !json else {
            try printResult(try await client.status(), asJSON: true) { "" }
            return
        }
        guard !once, isatty(STDOUT_FILENO) == 1, isatty(STDIN_FILENO) == 1 else {
            // Two looks, so that rates are of now.
            let first = TopSample(try await client.status())
            try await Task.sleep(for: .milliseconds(500))
            var screen = TopScreen()
            screen.take(first)
            screen.take(TopSample(try await client.status()))
            StandardOutput.print(screen.lines(width: 200, height: .max, styled: false).joined(separator: "\n"))
            return
        }
        try await watch(client)
    }

    private enum Event: Sendable {
        case key(TerminalKey)
        case tick
        case ended
    }

    private func watch(_ client: OperatorClient) async throws {
        // Before the screen changes: a server that cannot be reached is told in the usual way.
        var screen = TopScreen()
        screen.take(TopSample(try await client.status()))
        let terminal = TerminalScreen()
        defer { terminal.restore() }
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let keys = terminal.readKeys { continuation.yield($0.map { .key($0) } ?? .ended) }
        let ticker = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                continuation.yield(.tick)
            }
        }
        defer {
            keys.cancel()
            ticker.cancel()
        }
        terminal.draw(screen)
        for await event in events {
            switch event {
            case .ended, .key(.quit): return
            case .key(.sort): screen.sortByNext()
            case .key(.up): screen.scroll(by: -1)
            case .key(.down): screen.scroll(by: 1)
            case .tick:
                do {
                    screen.take(TopSample(try await client.status()))
                } catch {
                    screen.trouble = "\(error)"
                }
            }
            terminal.draw(screen)
        }
    }
}
