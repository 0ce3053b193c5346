import Feedback
import Testing

/// Notices in the languages that large servers write to their readers in: whether somebody goes on trying, has given up,
/// or a person is away. A delay that is taken for a failure is the dear mistake.
@Suite struct NoticeLanguageTests {
    struct Notice: Sendable, CustomTestStringConvertible {
        let kind: FeedbackKind
        let subject: String
        let text: String

        init(_ kind: FeedbackKind, _ subject: String, _ text: String) {
            self.kind = kind
            self.subject = subject
            self.text = text
        }

        var testDescription: String { subject }
    }

    static let notices: [Notice] = [
        Notice(
            .delayed, "Zustellung verzögert: Angebot",
            "Ihr Schreiben wurde noch nicht zugestellt. Es wird weiterhin versucht."),
        Notice(
            .delayed, "Remise retardée : Offre",
            "Votre courrier n'a pas encore été remis. Le serveur va continuer à essayer."),
        Notice(.delayed, "Entrega retrasada: Oferta", "El correo no se ha entregado todavía. Se seguirá intentando."),
        Notice(
            .delayed, "Recapito ritardato: Offerta",
            "La posta non è stato ancora consegnata. Il server continuerà a tentare."),
        Notice(.delayed, "Entrega atrasada: Oferta", "A carta ainda não foi entregue. O servidor continuará a tentar."),
        Notice(.delayed, "Bezorging vertraagd: Aanbod", "Uw post is nog niet bezorgd. De server blijft proberen."),
        Notice(
            .delayed, "Leveransen har försenats: Erbjudande",
            "Brevet har ännu inte levererats. Servern fortsätter att försöka."),
        Notice(.delayed, "Opóźnione dostarczenie: Oferta", "Poczta nie została jeszcze doręczona."),
        Notice(
            .delayed, "Доставка задерживается: Предложение", "Письмо ещё не доставлено. Попытки доставки продолжаются."),
        Notice(.delayed, "Toimitus viivästyi: Tarjous", "Kirjettä ei ole vielä toimitettu."),
        // Postfix's words, of a notice that has lost its parts on the way.
        Notice(
            .delayed, "Delayed Mail",
            "This is a warning only. Your mail could not be delivered for more than 4 hours. It will be retried."),
        Notice(.delayed, "配信遅延: ご案内", "メールはまだ配信されていません。引き続き試行します。"),
        Notice(.delayed, "传递延迟: 优惠", "邮件尚未送达。服务器将继续尝试。"),
        Notice(.delayed, "배달 지연: 안내", "메일이 아직 배달되지 않았습니다. 서버가 계속 시도합니다."),
        Notice(.bounce, "ÉCHEC DE REMISE : Offre", "Le courrier n'est pas parvenu. Adresse introuvable."),
        Notice(.bounce, "배달되지 않음: 안내", "메일을 배달하지 못했습니다. 주소를 찾을 수 없습니다."),
        Notice(.bounce, "無法傳遞: 優惠", "郵件無法傳遞。找不到此地址。"),
        Notice(.bounce, "НЕ УДАЛОСЬ ДОСТАВИТЬ: Предложение", "Не удалось доставить письмо. Адрес не найден."),
        Notice(.autoReply, "Odpowiedź automatyczna: Oferta", "Jestem na urlopie."),
        Notice(.autoReply, "Automatická odpověď: Nabídka", "Jsem na dovolené."),
        Notice(.autoReply, "Автоматический ответ: Предложение", "Я в отпуске."),
        Notice(.autoReply, "自动答复: 优惠", "我在休假。"), Notice(.autoReply, "자동 회신: 안내", "휴가 중입니다."),
    ]

    @Test(arguments: notices) func `a notice is understood in its language`(_ notice: Notice) {
        let isPerson = notice.kind == .autoReply
        let mail = """
            Return-Path: <\(isPerson ? "kim@example.org" : "")>
            From: \(isPerson ? "Kim <kim@example.org>" : "postmaster@firm.example")
            To: b-x@bounce.shop.example
            Subject: \(notice.subject)
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            kim@example.org

            \(notice.text)
            """
        let found = MailClassifier.classify(Array(mail.utf8))
        #expect(found.kind == notice.kind)
        if !isPerson { #expect(found.recipients.map(\.address) == ["kim@example.org"]) }
        if notice.kind == .delayed { #expect(found.recipients.allSatisfy { $0.hardness == .no }) }
    }
}
