import Foundation
import MailTypes
import Synchronization
import TestSupport

@testable import MailSigning

/// The engines that can run here.
enum Lanes {
    /// Nil where the CPU or the library is missing; says so once.
    static let cryptoMB: CryptoMB? = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let made = root.appending(path: ".build/crypto_mb/libcrypto_mb.so.13").path
        do throws(LaneEngineFailure) {
            return FileManager.default.fileExists(atPath: made) ? try CryptoMB(path: made) : try CryptoMB()
        } catch {
            print("IFMA did not run: \(error); eight signatures of libcrypto stand in for it")
            return nil
        }
    }()

    static let all: [any LaneEngine] = [LibcryptoLanes()] + (cryptoMB.map { [$0] } ?? [])
    /// The one that is meant.
    static let best: any LaneEngine = cryptoMB ?? LibcryptoLanes()
    static let names = all.map(\.name)

    static func named(_ name: String) -> any LaneEngine { all.first { $0.name == name }! }

    static let keys: [DKIMKey] = [TestKeys.rsa] + (0..<3).map { _ in try! DKIMKey.generate(.rsaSHA256) }
    static let signers = keys.map { try! DKIMSigner(domain: TestKeys.domain, keys: [("rsa", $0)]) }

    /// Signatures that are to be made, with keys of `signers` in turn.
    static func pending(_ digests: [[UInt8]], by signers: [DKIMSigner] = signers) -> [PendingSignature] {
        digests.enumerated().map { index, digest in
            let signer = signers[index % signers.count]
            return PendingSignature(digest, by: 0, of: signer, signer.laneKeys { LaneKey($0) }[0]!)
        }
    }

    static func digests(_ count: Int, _ generator: inout SeededGenerator) -> [[UInt8]] {
        (0..<count).map { _ in (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) } }
    }
}

extension PendingSignature {
    /// What libcrypto makes: RSASSA-PKCS1-v1_5 leaves no choice.
    var reference: [UInt8] { try! signer.sign(digest, by: identity) }
}

/// An engine that is wrong.
struct FaultyLanes: LaneEngine {
    enum Fault: String, CaseIterable {
        /// A bit of a block, before it is signed.
        case block
        /// A bit of a signature.
        case signature
        /// A bit of what a signature is compared by.
        case check
        /// Two signatures change places.
        case lanes
        /// A signature is made with another key.
        case key
        /// A block is spoiled where it lies, and a check agrees with the spoiled block.
        case blockAndCheck
        /// A lane stays empty.
        case nothing
    }

    let name = "faulty"
    let engine: any LaneEngine
    let fault: Fault
    let lane: Int
    let bit: Int

    private func flip(_ bytes: inout [UInt8]) {
        bytes[lane * SignatureBlock.octets + bit / 8] ^= 1 << (bit % 8)
    }

    func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        var (blocks, keys) = (blocks, keys)
        if fault == .block || fault == .blockAndCheck { flip(&blocks) }
        if fault == .key, let other = keys.first(where: { $0 !== keys[lane] }) { keys[lane] = other }
        var made = engine.signatures(of: blocks, keys)
        switch fault {
        case .signature: flip(&made)
        case .lanes:
            let other = SignatureBlock.place((lane + 1) % keys.count)
            let (here, there) = (Array(made[SignatureBlock.place(lane)]), Array(made[other]))
            made.replaceSubrange(SignatureBlock.place(lane), with: there)
            made.replaceSubrange(other, with: here)
        case .nothing: for place in SignatureBlock.place(lane) { made[place] = 0 }
        case .block, .check, .key, .blockAndCheck: break
        }
        return made
    }

    func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        var seen = engine.blocks(of: signatures, keys)
        if fault == .check { flip(&seen) }
        return seen
    }
}

/// An engine that takes twice the time.
struct SlowLanes: LaneEngine {
    let name = "slow"

    func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        _ = LibcryptoLanes().signatures(of: blocks, keys)
        return LibcryptoLanes().signatures(of: blocks, keys)
    }

    func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8] { LibcryptoLanes().blocks(of: signatures, keys) }
}
