// swift-tools-version: 6.2

import PackageDescription

// The floors of docs/architecture.md, bottom to top. A target names every module it imports, and only from lower
// floors; `make check` builds with `--explicit-target-dependency-import-check error`, so the compiler holds the line.

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioCertificates = Target.Dependency.product(name: "NIOCertificateReloading", package: "swift-nio-extras")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "sluice",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "sluice", targets: ["sluice"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Floor 0: C libraries behind a module map and a shim.
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CUnbound", providers: [.apt(["libunbound-dev"])]),
        .systemLibrary(name: "COpenDKIM", pkgConfig: "opendkim", providers: [.apt(["libopendkim-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        // Loads its library while the program runs, where there is one.
        .target(name: "CCryptoMB"),
        // The program's allocator, for the libraries that it loads as well.
        .target(name: "CJemalloc", linkerSettings: [.linkedLibrary("jemalloc")]),

        // Floor 1: values, no I/O.
        .target(name: "MailTypes"),
        .target(name: "StrictYAML", dependencies: [yams]),
        .target(name: "MailMessage", dependencies: ["MailTypes"]),
        .target(name: "SMTPProtocol", dependencies: ["MailTypes", nio]),
        .target(
            name: "TrafficShaping", dependencies: ["StrictYAML", "MailTypes", deque, heap],
            resources: [.embedInCode("providers.yaml")]),

        // Floor 2: one outside thing each.
        .target(name: "Postgres", dependencies: ["CPostgres", logging]),
        .target(
            name: "Passwords", dependencies: ["CCrypt", "MailTypes"], resources: [.embedInCode("common-passwords.txt")]),
        .target(name: "DNSResolution", dependencies: ["CUnbound", "MailTypes"]),
        .target(name: "MailSigning", dependencies: ["CCryptoMB", "COpenSSL", "COpenDKIM", "MailTypes", crypto]),
        .target(
            name: "SMTPTransport",
            dependencies: [
                "SMTPProtocol", "MailTypes", nio, nioPosix, nioTLS, nioSSL, logging, deque, crypto, x509, asn1,
            ]),

        // Floor 3: records.
        .target(
            name: "CreditLedger", dependencies: ["Postgres", "MailTypes", crypto],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "Vault", dependencies: ["Postgres", "MailTypes", crypto], resources: [.embedInCode("Migrations")]),
        .target(
            name: "Fleet", dependencies: ["Postgres", "MailTypes", logging], resources: [.embedInCode("Migrations")]),
        .target(
            name: "TLSPolicies",
            dependencies: [
                "CZlib", "SMTPTransport", "SMTPProtocol", "DNSResolution", "MailSigning", "MailMessage", "Postgres",
                "MailTypes", nio, nioHTTP1, nioSSL, httpClient, logging,
            ],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "Identity", dependencies: ["Vault", "Postgres", "Passwords", "MailTypes", crypto, jwtKit],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "ACME",
            dependencies: [
                "Vault", "Postgres", "MailTypes", crypto, x509, asn1, httpClient, nio, nioHTTP1, nioSSL,
                nioCertificates, logging,
            ],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "Webhooks",
            dependencies: ["Vault", "Postgres", "MailTypes", crypto, nio, nioHTTP1, nioSSL, httpClient, logging],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "Feedback", dependencies: ["Postgres", "Vault", "Webhooks", "MailMessage", "MailTypes", yams],
            resources: [
                .embedInCode("Migrations"), .embedInCode("Classification/replies.yaml"),
                .embedInCode("Classification/notices.yaml"),
            ]),
        .target(
            name: "ProviderWebhooks",
            dependencies: [
                "Feedback", "Vault", "Postgres", "MailTypes", crypto, cryptoExtras, x509, asn1, httpClient, nio,
                nioHTTP1, nioSSL, logging,
            ],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "SendingDomains",
            dependencies: [
                "Vault", "Webhooks", "Fleet", "Postgres", "DNSResolution", "MailSigning", "MailMessage", "MailTypes",
                logging,
            ],
            resources: [.embedInCode("Migrations")]),
        .target(
            name: "Campaigns",
            dependencies: [
                "Fleet", "SendingDomains", "CreditLedger", "Vault", "Webhooks", "Feedback", "Postgres", "MailMessage",
                "MailTypes", crypto, logging,
            ],
            resources: [.embedInCode("Migrations")]),

        // Floor 4: use.
        .target(
            name: "Delivery",
            dependencies: [
                "Campaigns", "Fleet", "SendingDomains", "Feedback", "Vault", "TLSPolicies", "SMTPTransport",
                "SMTPProtocol", "DNSResolution", "MailSigning", "MailMessage", "TrafficShaping", "MailTypes", nio,
                logging, lifecycle,
            ]),
        .target(
            name: "HTTPAPI",
            dependencies: [
                "Campaigns", "SendingDomains", "CreditLedger", "Feedback", "Identity", "MailSigning", "MailMessage",
                "Passwords", "Postgres", "MailTypes", "Vault", "ProviderWebhooks", "Webhooks", hummingbird,
                hummingbirdCore, hummingbirdTLS, httpTypes, crypto, nio, nioSSL, nioTLS,
                logging, lifecycle,
            ],
            // A link to docs/openapi.yaml, which the server gives out.
            resources: [.embedInCode("openapi.yaml"), .embedInCode("Pages/pages.js")]),

        .target(
            name: "InboundMail",
            dependencies: [
                "Feedback", "SendingDomains", "Vault", "SMTPTransport", "SMTPProtocol", "MailMessage", "Postgres",
                "MailTypes", nio, logging, lifecycle,
            ]),

        .target(
            name: "OperatorAPI",
            dependencies: [
                "Delivery", "InboundMail", "Campaigns", "Feedback", "SendingDomains", "Webhooks", "SMTPTransport",
                "MailSigning", "MailTypes", hummingbird, hummingbirdCore, httpTypes,
                httpClient, nio, nioFoundation, nioHTTP1, logging, lifecycle,
            ]),

        // It judges demo, tests and benchmarks, so it knows nothing of the sender.
        .target(
            name: "MailSink",
            dependencies: [
                "SMTPTransport", "SMTPProtocol", "MailSigning", "MailTypes", crypto, nio, nioPosix, logging,
            ]),

        // Floor 5: the root.
        .target(
            name: "Application",
            dependencies: [
                "ACME", "Delivery", "HTTPAPI", "InboundMail", "OperatorAPI", "MailSink", "Campaigns", "Fleet",
                "SendingDomains", "Feedback", "Identity", "Passwords", "ProviderWebhooks", "Webhooks",
                "Vault", "CreditLedger", "SMTPTransport", "SMTPProtocol", "MailMessage", "MailSigning",
                "DNSResolution", "TrafficShaping", "TLSPolicies", "Postgres", "StrictYAML", "MailTypes", arguments,
                configuration, lifecycle, unixSignals, logging, httpClient, histogram, nio, nioPosix, nioSSL,
                nioFoundation, nioHTTP1, nioCertificates,
            ],
            resources: [.embedInCode("Guards/records.tsv"), .embedInCode("Guards/vault.tsv")]),
        .executableTarget(name: "sluice", dependencies: ["Application", "CJemalloc"]),

        // What tests of several rooms use; no product holds it.
        .target(name: "TestSupport", dependencies: ["MailTypes", logging], path: "Tests/TestSupport/General"),
        .target(
            name: "TestPeers",
            dependencies: [
                "TestSupport", "SMTPTransport", "SMTPProtocol", "DNSResolution", "MailTypes", nio, nioPosix, nioHTTP1,
                nioConcurrency, nioSSL, logging, crypto, x509, asn1,
            ], path: "Tests/TestSupport/Peers"),
        .target(
            name: "TestDatabases", dependencies: ["TestSupport", "Postgres", logging],
            path: "Tests/TestSupport/Databases"),
        .target(
            name: "TestStores",
            dependencies: [
                "ACME", "TestDatabases", "TestSupport", "Campaigns", "Fleet", "TLSPolicies", "SendingDomains",
                "CreditLedger",
                "Feedback", "ProviderWebhooks", "Vault", "Webhooks", "Postgres", "MailTypes",
            ], path: "Tests/TestSupport/Stores"),

        .testTarget(name: "MailTypesTests", dependencies: ["TestSupport", "MailTypes"]),
        .testTarget(name: "MailMessageTests", dependencies: ["TestSupport", "MailMessage", "MailTypes"]),
        .testTarget(name: "SMTPProtocolTests", dependencies: ["TestSupport", "SMTPProtocol", "MailTypes", nio]),
        .testTarget(name: "StrictYAMLTests", dependencies: ["TestSupport", "StrictYAML"]),
        .testTarget(
            name: "TrafficShapingTests", dependencies: ["TestSupport", "TrafficShaping", "StrictYAML", "MailTypes"]),
        .testTarget(name: "PostgresTests", dependencies: ["TestSupport", "TestDatabases", "Postgres", logging]),
        .testTarget(
            name: "DNSResolutionTests", dependencies: ["TestSupport", "TestPeers", "DNSResolution", "MailTypes"]),
        .testTarget(name: "PasswordsTests", dependencies: ["TestSupport", "Passwords"]),
        .testTarget(name: "MailSigningTests", dependencies: ["TestSupport", "MailSigning", "MailTypes"]),
        .testTarget(
            name: "SMTPTransportTests",
            dependencies: [
                "TestSupport", "TestPeers", "SMTPTransport", "SMTPProtocol", "MailTypes", nio, nioPosix, nioConcurrency,
                nioSSL, logging, x509,
            ]),
        .testTarget(
            name: "TLSPoliciesTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "TLSPolicies", "SendingDomains",
                "SMTPTransport", "SMTPProtocol", "DNSResolution", "MailSigning", "Postgres", "MailTypes", nio, nioPosix,
                nioHTTP1, nioConcurrency, nioSSL, logging,
            ]),
        // The schemas of all rooms together.
        .testTarget(
            name: "SchemaTests",
            dependencies: [
                "TestSupport", "TestDatabases", "TestStores", "Campaigns", "CreditLedger", "Identity", "Vault",
                "Postgres", "MailMessage", "MailTypes", crypto,
            ]),
        .testTarget(
            name: "CreditLedgerTests",
            dependencies: ["TestSupport", "TestDatabases", "CreditLedger", "Postgres", "MailTypes", logging]),
        .testTarget(
            name: "VaultTests", dependencies: ["TestSupport", "TestDatabases", "Vault", "Postgres", "MailTypes"]),
        .testTarget(
            name: "IdentityTests",
            dependencies: [
                "TestSupport", "TestDatabases", "Identity", "CreditLedger", "Passwords", "Vault", "Postgres",
                "MailTypes", crypto, jwtKit,
            ]),
        .testTarget(
            name: "FeedbackTests",
            dependencies: [
                "TestSupport", "TestDatabases", "Feedback", "Vault", "Webhooks", "CreditLedger", "Postgres",
                "MailMessage", "MailTypes",
            ]),
        .testTarget(
            name: "ProviderWebhooksTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "ProviderWebhooks", "Feedback", "Vault",
                "Postgres", "MailTypes", crypto, nioHTTP1, logging,
            ]),
        .testTarget(
            name: "ACMETests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "ACME", "Vault", "Postgres", "MailTypes",
                nio, nioPosix, nioHTTP1, nioSSL, logging, crypto,
            ]),
        .testTarget(
            name: "WebhooksTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "Webhooks", "Campaigns", "SendingDomains",
                "Feedback", "CreditLedger", "Vault", "Postgres", "MailMessage", "MailTypes", nio, nioPosix, nioHTTP1,
                nioConcurrency, nioSSL, logging, crypto,
            ]),
        .testTarget(
            name: "FleetTests",
            dependencies: [
                "TestStores", "TestDatabases", "Fleet", "Postgres", "MailTypes", logging,
            ]),
        .testTarget(
            name: "SendingDomainsTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "SendingDomains", "Campaigns", "Vault",
                "Postgres", "DNSResolution", "MailSigning", "MailMessage", "MailTypes", "CreditLedger", "Feedback",
                "Fleet",
            ]),
        .testTarget(
            name: "CampaignsTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "Fleet", "SendingDomains", "Campaigns", "CreditLedger",
                "Vault", "Feedback", "Postgres", "MailMessage", "MailTypes", logging, crypto,
            ]),
        .testTarget(
            name: "DeliveryTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "Delivery", "Campaigns", "Fleet",
                "SendingDomains", "CreditLedger", "Vault", "Feedback", "TLSPolicies", "SMTPTransport", "SMTPProtocol",
                "DNSResolution", "MailSigning", "MailMessage", "TrafficShaping", "Postgres", "MailTypes", nioPosix,
                logging, lifecycle, crypto, x509, asn1,
            ]),
        .testTarget(
            name: "InboundMailTests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "InboundMail", "MailSink", "Feedback",
                "SendingDomains", "SMTPTransport", "SMTPProtocol", "Vault", "Postgres", "MailMessage", "MailTypes", nio,
                nioPosix, logging,
            ]),
        .testTarget(
            name: "HTTPAPITests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "TestPeers", "HTTPAPI", "Campaigns", "Fleet",
                "SendingDomains", "DNSResolution", "CreditLedger", "Feedback", "Identity", "Passwords", "Vault",
                "Webhooks",
                "Postgres", "MailMessage", "MailTypes", "MailSigning", "ProviderWebhooks", crypto, httpTypes,
                hummingbird, hummingbirdCore, nio, nioPosix,
                .product(name: "HummingbirdTesting", package: "hummingbird"), logging,
            ]),
        .testTarget(
            name: "OperatorAPITests",
            dependencies: [
                "TestSupport", "TestStores", "TestDatabases", "OperatorAPI", "Delivery", "InboundMail", "Campaigns",
                "Feedback", "MailSigning", "MailTypes", "SendingDomains", "Webhooks", hummingbird, nio,
                .product(name: "HummingbirdTesting", package: "hummingbird"), logging,
            ]),
        .testTarget(
            name: "MailSinkTests",
            dependencies: [
                "TestSupport", "MailSink", "Feedback", "SMTPTransport", "SMTPProtocol", "MailSigning", "MailTypes", nio,
                logging,
            ]),
        .testTarget(
            name: "ApplicationTests",
            dependencies: [
                "TestSupport", "Application", "Campaigns", "Delivery", "MailMessage", "MailSigning", "SMTPTransport",
                "SMTPProtocol", "HTTPAPI", "MailTypes", "TLSPolicies", "TrafficShaping", arguments, logging,
            ]),
        // Starts the built `sluice` and real peers (Postfix, Exim, dkimpy, pg_dump) as processes.
        .testTarget(
            name: "SystemTests",
            dependencies: ["TestSupport", "TestPeers", "TestStores", "Identity", "Postgres", "sluice", logging]),
    ]
)

/// Targets that touch C pointers: each use of one must say `unsafe`.
let pointerTargets: Set = ["Postgres", "TestDatabases", "DNSResolution", "MailSigning", "Passwords", "TLSPolicies"]

for target in package.targets where target.type != .system && !["CCryptoMB", "CJemalloc"].contains(target.name) {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("ImmutableWeakCaptures"),
        .treatAllWarnings(as: .error),
        .treatWarning("DeprecatedDeclaration", as: .warning),
    ]
    if pointerTargets.contains(target.name) {
        target.swiftSettings?.append(.strictMemorySafety())
    }
}

// `SLUICE_TESTS=MailMessageTests,DeliveryTests` leaves these tests and what they need: a change in one room is then
// built and tested without the others (`make test T=…`).
if let names = Context.environment["SLUICE_TESTS"], !names.isEmpty {
    let targets = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    var needed: Set<String> = []
    var open = names.split(separator: ",").map(String.init)
    while let name = open.popLast() {
        guard let target = targets[name], needed.insert(name).inserted else { continue }
        for case .byNameItem(let dependency, _) in target.dependencies { open.append(dependency) }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    if !needed.contains("sluice") { package.products = [] }
}

// Benchmarks live in this package, because a nested one could not see `package` declarations; they are left out unless
// asked for, so that users never resolve their dependencies.
if Context.environment["SLUICE_BENCHMARKS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []))
    package.targets.append(
        .executableTarget(
            name: "SluiceBenchmarks",
            dependencies: [
                "Feedback", "MailMessage", "MailSigning", "SMTPProtocol", "Vault", "Campaigns", "MailTypes",
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/SluiceBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ))
}
