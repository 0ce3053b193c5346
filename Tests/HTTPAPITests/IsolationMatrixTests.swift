import Foundation
import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

/// No account sees or changes what is another's: by the filters of the statements, and without them.
///
/// Keys ask, and then an owner who has signed in.
///
/// The second run switches the filters off. All statements filter by the account of the key that was shown. So the requests
/// show the other account's own key: every filter then lets that account's rows through, as one that was forgotten would.
/// What the database is told of who asks stays the caller's account, as it does where a filter is forgotten. Only row-level
/// security stands between. The third run takes that away as well, and must find leaks, or the matrix would look nowhere.
@Suite(.serialized) struct IsolationMatrixTests {
    enum Asker: CaseIterable { case key, person }

    /// What a run has found.
    private struct Findings {
        var leaks: [String] = []
        var effects: [String] = []
        var answers: [(probe: IsolationMatrix.Probe, answer: Answer)] = []
    }

    private struct Stage {
        let fixture: APIFixture
        let own: Tenant
        let other: Tenant
        let matrix: IsolationMatrix

        static func make() async throws -> Stage {
            let fixture = try await APIFixture.make(resultsFor: 3_600)
            let (own, other) = try await Tenant.pair(fixture)
            let matrix = try IsolationMatrix(DocumentScanner(OpenAPIDocument.text), own: own, other: other)
            return Stage(fixture: fixture, own: own, other: other, matrix: matrix)
        }

        /// - Parameters:
        ///   - services: what answers.
        ///   - identity: whose keys are shown, or whose owner has signed in.
        func run(_ services: APIServices, as identity: Tenant, by asker: Asker) async throws -> Findings {
            @Sendable func signIn() async throws -> Browser {
                try await fixture.withPages { try await fixture.signIn(identity.owner, $0) }
            }
            let first = try await signIn()
            let exposure = asker == .person ? APIExposure(publicURL: Browser.origin) : APIExposure()
            let application = Application(router: APIServer.router(services, exposure: exposure), logger: .silent)
            // Over sockets: streams that end at once are too quick for a client without them.
            return try await application.test(.ahc(.http)) { client in
                var findings = Findings()
                var browser = first
                var before = try await fixture.rows(other.account)
                for probe in matrix.probes where asker == .key || !probe.isOutOfScope {
                    let keys = probe.isOutOfScope ? identity.otherKeys : identity.keys
                    let key = asker == .key ? probe.scope.flatMap { keys[$0] } : nil
                    // What people ask of their own session is no account's, and is not asked with it.
                    let operation = APIOperation(rawValue: probe.operation)
                    let isPerson =
                        asker == .person && (operation?.access != .person || operation?.leastRole != nil)
                    let answer = try await API(client: client, key: key).call(
                        probe.method, probe.path, body: probe.input.body, type: probe.input.type,
                        idempotencyKey: probe.idempotencyKey, headers: isPerson ? browser.fields : [:])
                    let told = answer.text + answer.headers.map { $0.value }.joined(separator: " ")
                    for mark in other.marks where Self.tells(told, mark) && !probe.said.contains(mark) {
                        findings.leaks.append("\(probe): \(answer.status) tells \(mark)")
                    }
                    let after = try await fixture.rows(other.account)
                    let changed = after.filter { before[$0.key] != $0.value }.keys.sorted()
                    if !changed.isEmpty { findings.effects.append("\(probe): \(answer.status) changed \(changed)") }
                    before = after
                    // Who has ended their own session goes on in another.
                    if isPerson, Self.endsSessions.contains(operation), answer.status == 204 {
                        browser = try await signIn()
                        before = try await fixture.rows(other.account)
                    }
                    findings.answers.append((probe, answer))
                }
                return findings
            }
        }

        private static let endsSessions: Set<APIOperation?> = [.endSession, .endSessions, .endMemberSessions]

        /// As a whole word: `key_2` is not in `key_27`.
        private static func tells(_ text: String, _ mark: String) -> Bool {
            text.ranges(of: mark).contains { range in
                range.upperBound == text.endIndex || !text[range.upperBound].isNumber
            }
        }

        /// Over sessions that see the caller's rows, whatever key is shown; or, without row-level security, all rows.
        func runWithoutFilters(isConfined: Bool, by asker: Asker) async throws -> Findings {
            let configuration =
                isConfined
                ? APIFixture.confined(fixture.records, to: own.account) : fixture.records.configuration()
            let pool = PostgresPool(configuration: configuration, logger: .silent)
            let services = APIFixture.services(
                fixture.stores, over: pool, fixture.examiner, resultsFor: 3_600)
            let findings = try await run(services, as: other, by: asker)
            await pool.close()
            return findings
        }
    }

    @Test func `the matrix has a line for every operation of the document, and no other`() async throws {
        let (own, _) = try await Tenant.pair(try await APIFixture.make(resultsFor: 3_600))
        let inputs = IsolationMatrix.inputs(naming: own)
        #expect(Set(inputs.keys) == DocumentScanner(OpenAPIDocument.text).operations)
        #expect(Set(inputs.keys) == Set(APIOperation.allCases.map(\.rawValue)))
    }

    @Test(arguments: Asker.allCases)
    func `nothing of another account is told or changed`(_ asker: Asker) async throws {
        let stage = try await Stage.make()
        let findings = try await stage.run(stage.fixture.services, as: stage.own, by: asker)
        #expect(findings.leaks == [])
        #expect(findings.effects == [])
        #expect(findings.answers.count > 250)
        for operation in APIOperation.allCases {
            let answers = findings.answers.filter { $0.probe.operation == operation.rawValue }
            // What is another's answers as what is nobody's, letter for letter.
            let unknown = answers.first { $0.probe.whose == .unknown }
            for (probe, answer) in answers where probe.whose == .foreign && !probe.isOutOfScope {
                guard let unknown, Self.isOfItsKind(probe, stage.other) else { continue }
                #expect(
                    Self.text(answer, without: probe.ids) == Self.text(unknown.answer, without: unknown.probe.ids),
                    "\(probe)")
            }
            for (probe, answer) in answers {
                #expect((answer.status == 403) == probe.isOutOfScope, "\(probe): \(answer.status) \(answer.text)")
                #expect(answer.status < 500, "\(probe): \(answer.text)")
            }
            if operation.access == .person, asker == .key || operation.leastRole == nil {
                #expect(answers.allSatisfy { $0.answer.status == ($0.probe.scope == nil ? 401 : 403) }, "\(operation)")
            }
            // Else nothing would have been looked for.
            let isAsked = asker == .person && operation.leastRole != nil
            if operation.method == .get, isAsked || operation.access.isForKeys {
                #expect(answers.contains { $0.probe.whose == .own && $0.answer.status == 200 }, "\(operation)")
            }
        }
    }

    @Test(arguments: Asker.allCases)
    func `with the filters switched off the database tells and changes nothing of it either`(
        _ asker: Asker
    ) async throws {
        let stage = try await Stage.make()
        let findings = try await stage.runWithoutFilters(isConfined: true, by: asker)
        #expect(findings.leaks == [])
        #expect(findings.effects == [])
        #expect(findings.answers.count > 250)
    }

    @Test(arguments: Asker.allCases)
    func `without filters and without row-level security the same requests leak`(_ asker: Asker) async throws {
        let stage = try await Stage.make()
        let findings = try await stage.runWithoutFilters(isConfined: false, by: asker)
        #expect(findings.leaks.count > 30, "\(findings.leaks.count)")
        #expect(findings.effects.count > 20, "\(findings.effects.count)")
    }

    /// Identifiers of another kind may be malformed where they stand, and say so.
    private static func isOfItsKind(_ probe: IsolationMatrix.Probe, _ other: Tenant) -> Bool {
        guard let id = probe.ids.first,
            let first = probe.operation.split(separator: "/").first(where: { $0.hasPrefix("{") }),
            let path = probe.operation.split(separator: " ").last, let kind = Tenant.Kind(parameter: first, of: path)
        else { return false }
        return other.ids[kind]?.contains(id) == true && probe.idempotencyKey == nil && !probe.path.contains("?")
    }

    private static func text(_ answer: Answer, without ids: [String]) -> String {
        ids.reduce("\(answer.status) " + answer.text) { $0.replacing($1, with: "…") }
            .replacing(/"reference":"[^"]*"/, with: "")
    }
}

extension APIOperation.Access {
    fileprivate var isForKeys: Bool {
        if case .key = self { true } else { false }
    }
}
