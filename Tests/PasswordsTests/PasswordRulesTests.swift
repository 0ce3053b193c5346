import Testing

@testable import Passwords

@Suite struct PasswordRulesTests {
    @Test(arguments: [
        "violet tram 19 eats soup", "Grüße aus Ulm, 7 mal", "xK9#vq2LmZ0pT", "日本語の長い合言葉です七八九", "rope-lantern-42-goose",
        String(repeating: "0123456789abcdefXY", count: 4), "correct horse battery stapler",
    ]) func `good ones are taken as they are`(_ password: String) throws {
        #expect(try PasswordRules.check(password, address: "ada@example.org") == password)
    }

    @Test(arguments: [
        // Known ones, longer by what everybody appends, and in disguise.
        "password1234", "Password2026!", "P@ssw0rd1234", "iloveyou12345", "!!Welcome!!2026", "sup3rs3cr3t!!",
        "correct horse battery staple", "Dragon Monkey", "summer-winter-7", "adminadmin99",
        // Keys beside each other, in order, again and again.
        "qwertyuiop12", "1qaz2wsx3edc4rfv", "123456789012", "abcdefghijkl", "zyxwvutsrqpo", "qwertyasdfgh",
        "aaaabbbbcccc",
        "abcabcabcabc", "xk4q9xk4q9xk", "121212121212", "!@#$%^&*()!@#",
        // Its owner.
        "ada.lovelace1", "Lovelace-2026", "lovelacelovelace",
    ]) func `what is tried first is refused`(_ password: String) {
        #expect(throws: PasswordError.tooCommon) {
            try PasswordRules.check(password, address: "ada.lovelace@example.org")
        }
    }

    @Test func `bounds count characters below and octets above`() throws {
        let address = "a@example.org"
        #expect(throws: PasswordError.tooShort) { try PasswordRules.check("xK9#vq2LmZ0", address: address) }
        // Twelve octets, but four characters.
        #expect(throws: PasswordError.tooShort) { try PasswordRules.check("日本語七", address: address) }
        let longest = String(repeating: "xK9#vq2LmZ0p", count: 5) + "tram 19 soup"
        #expect(longest.utf8.count == 72)
        #expect(try PasswordRules.check(longest, address: address) == longest)
        #expect(throws: PasswordError.tooLong) { try PasswordRules.check(longest + "x", address: address) }
        #expect(throws: PasswordError.unreadable) {
            try PasswordRules.check("violet tram\u{0}19 eats soup", address: address)
        }
        for nobodys in [longest + "x", "violet\u{0}tram", "violet\ntram"] {
            #expect(PasswordRules.normalised(nobodys) == nil)
        }
    }

    @Test func `the same letters from another keyboard are the same password`() throws {
        let composed = "Gr\u{FC}\u{DF}e aus Ulm 7", decomposed = "Gru\u{308}\u{DF}e aus Ulm 7"
        #expect(PasswordRules.normalised(composed).map { Array($0.utf8) } == Array(composed.utf8))
        #expect(PasswordRules.normalised(decomposed).map { Array($0.utf8) } == Array(composed.utf8))
    }
}
