import Testing

@testable import TrafficShaping

struct UnreachedMailTests {
    private static func fate(
        _ answer: LaneAnswer, elsewhere: Bool = true, mayStart: Bool = true, isCurrent: Bool = true
    ) -> UnreachedMail {
        UnreachedMail(answer, mayGoElsewhere: elsewhere, mayStart: mayStart, isCurrentWay: isCurrent)
    }

    @Test func `mail that cannot go elsewhere fails, and so does mail that may not start any more`() {
        for answer in [LaneAnswer.broken, .notLoggedIn("reply 535"), .refused(nil, code: 421, nil)] {
            #expect(Self.fate(answer, elsewhere: false) == .fails)
            #expect(Self.fate(answer, elsewhere: false, isCurrent: false) == .fails)
            #expect(Self.fate(answer, mayStart: false) == .fails)
        }
    }

    @Test func `a node that closes its connections hands nothing over`() {
        #expect(Self.fate(.stopped) == .fails)
        #expect(Self.fate(.stopped, isCurrent: false) == .fails)
    }

    @Test func `an older way says nothing about the present one, not even of the login`() {
        #expect(Self.fate(.broken, isCurrent: false) == .triesAgain)
        #expect(Self.fate(.notLoggedIn("reply 535"), isCurrent: false) == .triesAgain)
    }

    @Test func `a refused login is not the mail's fault, anything else may be`() {
        #expect(Self.fate(.notLoggedIn("reply 535")) == .waitsForLogin)
        #expect(Self.fate(.broken) == .isOffered)
        #expect(Self.fate(.refused(.block, code: 554, nil)) == .isOffered)
    }
}
