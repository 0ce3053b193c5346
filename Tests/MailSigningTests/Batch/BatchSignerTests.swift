import Foundation
import MailTypes
import Synchronization
import TestSupport
import Testing

@testable import MailSigning

@Suite struct BatchSignerTests {
    // MARK: Right signatures

    @Test(arguments: Lanes.names, 1...8)
    func `each filled lane is what libcrypto makes, keys mixed`(_ engine: String, _ filled: Int) async throws {
        var generator = SeededGenerator(Seed.of(UInt64(filled)))
        let signer = BatchSigner(Lanes.named(engine), detail: "")
        let signatures = Lanes.pending(Lanes.digests(filled, &generator))
        signer.make(signatures)
        for signature in signatures { #expect(try await signature.value() == signature.reference) }
        let counts = signer.status.counts
        #expect(counts.alone == (filled < 3 ? filled : 0))
        #expect(counts.passes == (1...8).map { $0 == filled && filled >= 3 ? 1 : 0 })
        #expect(counts.mismatches == 0 && signer.isOn)
    }

    @Test(arguments: Lanes.names) func `digests at the edges`(_ engine: String) async throws {
        let signer = BatchSigner(Lanes.named(engine), detail: "")
        let zeros = [UInt8](repeating: 0, count: 32)
        var digests = [zeros, [UInt8](repeating: 0xFF, count: 32)]
        for place in [0, 15, 31] {
            for value: UInt8 in [1, 0x80, 0xFF] {
                var digest = zeros
                digest[place] = value
                digests.append(digest)
            }
        }
        for key in Lanes.signers {
            let signatures = Lanes.pending(digests, by: [key])
            signer.make(signatures)
            for signature in signatures { #expect(try await signature.value() == signature.reference) }
        }
        #expect(signer.status.counts.mismatches == 0)
    }

    @Test(arguments: Lanes.names, Seed.range(20))
    func `however many there are, each is made once and right`(_ engine: String, _ seed: Seed) async throws {
        var generator = SeededGenerator(seed)
        let signer = BatchSigner(Lanes.named(engine), detail: "", fewest: Int.random(in: 3...8, using: &generator))
        let signatures = Lanes.pending(Lanes.digests(Int.random(in: 0...40, using: &generator), &generator))
        signer.make(signatures)
        for signature in signatures { #expect(try await signature.value() == signature.reference) }
        let counts = signer.status.counts
        #expect(counts.signaturesInPasses + counts.alone == signatures.count)
    }

    @Test func `the block is the one of RFC 8017`() {
        let digest = [UInt8](0..<32)
        let block = SignatureBlock.blocks(of: [digest])
        let head: [UInt8] = [0, 1] + [UInt8](repeating: 0xFF, count: 202) + [0]
        #expect(block.count == 256 && Array(block[..<205]) == head)
        #expect(block.suffix(32) == digest[...])
    }

    // MARK: Faults

    @Test(arguments: FaultyLanes.Fault.allCases, Seed.range(12))
    func `a fault lets no wrong signature out, and ends the passes`(_ fault: FaultyLanes.Fault, _ seed: Seed)
        async throws
    {
        var generator = SeededGenerator(seed)
        let filled = Int.random(in: 3...8, using: &generator)
        let lane = Int.random(in: 0..<filled, using: &generator)
        // The first octet of a block is zero; a flip there can make it larger than n, which no engine need bear.
        let faulty = FaultyLanes(
            engine: Lanes.best, fault: fault, lane: lane, bit: Int.random(in: 16..<2_048, using: &generator))
        let told = Mutex(0)
        let signer = BatchSigner(faulty, detail: "faulty") { told.withLock { $0 += 1 } }
        let first = Lanes.pending(Lanes.digests(filled, &generator))
        signer.make(first)
        for signature in first { #expect(try await signature.value() == signature.reference) }
        let wrong = fault == .lanes ? 2 : 1
        #expect(signer.status.counts.mismatches == wrong && signer.status.counts.alone == wrong)
        #expect(!signer.isOn && !signer.status.isBatch)
        #expect(told.withLock { $0 } == 1)

        let later = Lanes.pending(Lanes.digests(8, &generator))
        signer.make(later)
        for signature in later { #expect(try await signature.value() == signature.reference) }
        #expect(signer.status.counts.alone == wrong + 8 && signer.status.counts.passes.reduce(0, +) == 1)
        #expect(told.withLock { $0 } == 1)
    }

    @Test func `a signature from n on is not taken for the one below it`() async throws {
        /// Adds n to the signature of the first lane: the public exponent does not see it.
        struct AddsModulus: LaneEngine {
            let name = "adds"

            func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
                var made = LibcryptoLanes().signatures(of: blocks, keys)
                var carry = 0
                for place in SignatureBlock.place(0).reversed() {
                    let sum = Int(made[place]) + Int(keys[0].modulus[place]) + carry
                    made[place] = UInt8(sum & 0xFF)
                    carry = sum >> 8
                }
                // Where it does not fit, the test has nothing to show.
                return carry == 0 ? made : LibcryptoLanes().signatures(of: blocks, keys)
            }

            func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
                SignatureBlock.blocks(of: keys.map { _ in [UInt8](repeating: 7, count: 32) })
            }
        }
        var mismatches = 0
        for _ in 0..<16 where mismatches == 0 {
            let key = try DKIMKey.generate(.rsaSHA256)
            let signer = BatchSigner(AddsModulus(), detail: "")
            let signatures = Lanes.pending(
                [[UInt8]](repeating: [UInt8](repeating: 7, count: 32), count: 3),
                by: [try DKIMSigner(domain: TestKeys.domain, keys: [("s", key)])])
            signer.make(signatures)
            for signature in signatures { #expect(try await signature.value() == signature.reference) }
            mismatches = signer.status.counts.mismatches
        }
        #expect(mismatches == 1)
    }

    // MARK: Keys

    @Test func `keys of other sorts are libcrypto's, and their mail is signed`() async throws {
        let others = try [
            DKIMKey.generate(.rsaSHA256, rsaBits: 1_024), .generate(.rsaSHA256, rsaBits: 3_072),
            .generate(.ed25519SHA256),
            openSSLKey("rsa_keygen_bits:2048", "rsa_keygen_pubexp:3"),
            openSSLKey("rsa_keygen_bits:2048", "rsa_keygen_primes:3"),
        ]
        let batch = BatchSigner(Lanes.best, detail: "")
        #expect(batch.qualified(TestKeys.rsa.privateKey) != nil)
        for key in others {
            #expect(batch.qualified(key.privateKey) == nil)
            let queue = SigningQueue(batch)
            let signer = try DKIMSigner(domain: TestKeys.domain, keys: [("s", key)])
            let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete)
            let signature = try queue.begin(message, bodyOffset: bodyOffset, at: TestKeys.time, by: signer)
            let fields = try await signature.fields()
            let verifier = try DKIMVerifier(keys: ["s._domainkey.example.org": key.dnsRecord])
            #expect(try verifier.verify(fields + message).signatures.map(\.result) == [.pass])
        }
        #expect(batch.isOn && batch.status.counts.mismatches == 0)
    }

    @Test func `a key whose parts do not fit each other spoils no pass`() throws {
        let key = try DKIMKey.generate(.rsaSHA256)
        let limbs = try #require(LaneKey(key.privateKey))
        // The exponent of the second prime, as DER has it.
        let exponent = (0..<16).reversed().flatMap { limb in
            let value = unsafe limbs.limbs[48 + limb]
            return (0..<8).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        var der = key.privateKeyDER
        let place = try #require(der.firstRange(of: exponent))
        der[place.upperBound - 1] ^= 2
        let broken = try DKIMKey(privateKeyDER: der)
        let batch = BatchSigner(Lanes.best, detail: "")
        #expect(batch.qualified(key.privateKey) != nil)
        if Lanes.cryptoMB != nil {
            #expect(batch.qualified(broken.privateKey) == nil)
        }
        #expect(batch.isOn)
    }

    private func openSSLKey(_ options: String...) throws -> DKIMKey {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["openssl", "genpkey", "-quiet", "-algorithm", "RSA"] + options.flatMap { ["-pkeyopt", $0] }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let pem = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try DKIMKey(privateKeyPEM: String(decoding: pem, as: UTF8.self))
    }

    // MARK: Start

    @Test func `without the library, or with another, libcrypto signs and says why`() async {
        for (library, words) in [("/none/libcrypto_mb.so", "cannot be loaded"), ("libz.so.1", "too old")] {
            let status = await BatchSigner.start(.require, library: library).status
            #expect(!status.isBatch)
            if Lanes.cryptoMB != nil { #expect(status.detail.contains(words)) }
        }
        let off = await BatchSigner.start(.off, library: BatchSigner.standIn).status
        #expect(!off.isBatch && off.detail == "switched off")
        let standIn = await BatchSigner.start(.require, library: BatchSigner.standIn).status
        #expect(standIn.isBatch)
    }

    @Test(arguments: [FaultyLanes.Fault.signature, .check], 0..<8)
    func `a fault in any lane fails the test at the start`(_ fault: FaultyLanes.Fault, _ lane: Int) {
        let faulty = FaultyLanes(engine: LibcryptoLanes(), fault: fault, lane: lane, bit: 1_000)
        #expect { try BatchSigner.tested(faulty, .require) } throws: {
            ($0 as? LaneEngineFailure)?.description == "faulty failed its test"
        }
    }

    @Test func `an engine that is no faster than libcrypto is used only where it is required`() throws {
        #expect(throws: LaneEngineFailure.self) { try BatchSigner.tested(SlowLanes(), .auto) }
        let required = try BatchSigner.tested(SlowLanes(), .require)
        #expect(required.status.isBatch && required.status.fewestLanes == 8)
    }

    @Test func `crypto_mb passes its test where it can run`() throws {
        guard let engine = Lanes.cryptoMB else { return }
        let status = try BatchSigner.tested(engine, .require).status
        #expect(status.isBatch && (3...8).contains(status.fewestLanes) && status.detail.contains("crypto_mb"))
    }
}
