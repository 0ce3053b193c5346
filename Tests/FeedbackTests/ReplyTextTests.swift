import MailTypes
import Testing

@testable import Feedback

@Suite struct ReplyTextTests {
    @Test(arguments: [
        ("User Unknown", "user unknown "),
        ("550-5.1.1 The user doesn't\r\n550 5.1.1 exist.", "the user doesnt exist "),
        ("doesn\u{2019}t", "doesnt "),
        ("<jane.spam@example.org>: rejected", "rejected "),
        ("(jane@example.org:blocked)", "blocked "),
        ("Client host [192.0.2.7] blocked using zen.example.net", "client host blocked using zen example net "),
        ("see http://x.example/q?ip=1", "see http x example q ip "),
        ("", ""), ("450", ""), ("  --- ", ""), ("Bo\u{ee}te pleine", "bo\u{ee}te pleine "),
        ("rfc5322 S2017062302", "rfc5322 s2017062302 "),
        ("ÉCHEC À LA BOÎTE ÆØÅ ÐÞ", "échec à la boîte æøå ðþ "), ("STRAßE ÿ × ÷", "straße ÿ × ÷ "),
        ("Łódź ŻÓŁĆ ŠŤŇ ĞİŞ ŐŰ Žľ Ň", "łódź żółć šťň ğİş őű žľ ň "),
        ("НЕ УДАЛОСЬ ДОСТАВИТЬ ЁЖ Їжак", "не удалось доставить ёж їжак "),
        ("ΑΥΤΌΜΑΤΗ ΑΠΆΝΤΗΣΗ ΏΡΑ", "αυτόματη απάντηση ώρα "),
    ])
    func words_are_what_phrases_are_compared_with(text: String, words: String) {
        #expect(String(decoding: ReplyText(text).words, as: UTF8.self) == words)
    }

    @Test(
        arguments: [
            ("550 5.1.1 unknown", "5.1.1"), ("sorry (#5.7.1)", "5.7.1"), ("x 4.7.650 y", "4.7.650"), ("5.1.1", "5.1.1"),
            ("from 5.1.1.1", nil), ("25.1.1", nil), ("1.5.1.1", nil), ("3.1.1", nil), ("5.1.", nil), ("5.1", nil),
            ("", nil),
        ] as [(String, String?)])
    func an_enhanced_code_is_found_in_the_text(text: String, code: String?) {
        #expect(ReplyText(text).enhanced?.description == code)
    }

    @Test func a_long_text_is_cut() {
        let text = ReplyText(String(repeating: "word ", count: 10_000) + "greylisted")
        #expect(text.words.count <= ReplyText.readOctets + 1)
        #expect(String(decoding: text.words, as: UTF8.self).hasSuffix("word wor "))
    }

    @Test func phrases_begin_with_a_word_and_may_end_inside_one() {
        var index = PhraseIndex()
        let grey = index.number(of: "greylist")
        let rbl = index.number(of: "rbl ")
        let two = index.number(of: "no such user")
        #expect(index.number(of: "greylist") == grey && index.count == 3)
        func found(_ words: String) -> [Bool] { index.matches(in: Array(words.utf8)) }
        #expect(found("be greylisted now ")[grey])
        #expect(!found("ungreylisted ")[grey])
        #expect(found("in rbl today ")[rbl] && !found("rbls ")[rbl] && !found("drbl ")[rbl])
        #expect(found("no such users ")[two] && !found("no such ")[two])
        #expect(found("") == [false, false, false])
    }

}
