/// What the pages behind List-Unsubscribe say, in one language.
struct UnsubscribeWords: Sendable {
    /// Of the page that asks, and of its button.
    let ask: String
    /// `%` stands for the sender.
    let question: String
    /// Of the page that says that it is done.
    let done: String
    let confirmation: String
    /// Of the page for a link that is not ours.
    let broken: String
    let brokenHelp: String
    /// Of the page for somebody who asks too fast.
    let busy: String
    let busyHelp: String
    var isRightToLeft = false

    /// By language tag (RFC 5646).
    static let all: [String: UnsubscribeWords] = [
        "en": UnsubscribeWords(
            ask: "Unsubscribe", question: "Do you want to stop messages from %?",
            done: "You are unsubscribed", confirmation: "You will get no more messages from %.",
            broken: "This link does not work",
            brokenHelp: "It may have been cut off. Open it from the message again, or write to the sender.",
            busy: "Please try again in a minute", busyHelp: "Too many requests came from your network."),
        "de": UnsubscribeWords(
            ask: "Abmelden", question: "Möchten Sie keine Nachrichten von % mehr erhalten?",
            done: "Sie sind abgemeldet", confirmation: "Sie erhalten keine Nachrichten von % mehr.",
            broken: "Dieser Link funktioniert nicht",
            brokenHelp:
                "Vielleicht ist er unvollständig. Öffnen Sie ihn noch einmal aus der Nachricht, oder schreiben Sie dem Absender.",
            busy: "Bitte versuchen Sie es in einer Minute noch einmal",
            busyHelp: "Aus Ihrem Netz kamen zu viele Anfragen."),
        "fr": UnsubscribeWords(
            ask: "Se désabonner", question: "Voulez-vous ne plus recevoir de messages de % ?",
            done: "Vous êtes désabonné", confirmation: "Vous ne recevrez plus de messages de %.",
            broken: "Ce lien ne fonctionne pas",
            brokenHelp: "Il est peut-être incomplet. Ouvrez-le de nouveau depuis le message ou écrivez à l’expéditeur.",
            busy: "Veuillez réessayer dans une minute", busyHelp: "Trop de demandes sont venues de votre réseau."),
        "es": UnsubscribeWords(
            ask: "Cancelar suscripción", question: "¿Quiere dejar de recibir mensajes de %?",
            done: "Suscripción cancelada", confirmation: "No recibirá más mensajes de %.",
            broken: "Este enlace no funciona",
            brokenHelp: "Puede que esté incompleto. Ábralo de nuevo desde el mensaje o escriba al remitente.",
            busy: "Inténtelo de nuevo en un minuto", busyHelp: "Han llegado demasiadas solicitudes desde su red."),
        "it": UnsubscribeWords(
            ask: "Annulla iscrizione", question: "Non vuole più ricevere messaggi da %?",
            done: "Iscrizione annullata", confirmation: "Non riceverà più messaggi da %.",
            broken: "Questo link non funziona",
            brokenHelp: "Forse è incompleto. Lo apra di nuovo dal messaggio o scriva al mittente.",
            busy: "Riprovi tra un minuto", busyHelp: "Sono arrivate troppe richieste dalla sua rete."),
        "pt": UnsubscribeWords(
            ask: "Cancelar subscrição", question: "Quer deixar de receber mensagens de %?",
            done: "Subscrição cancelada", confirmation: "Não receberá mais mensagens de %.",
            broken: "Esta ligação não funciona",
            brokenHelp: "Pode estar incompleta. Abra-a de novo a partir da mensagem ou escreva ao remetente.",
            busy: "Tente de novo dentro de um minuto", busyHelp: "Vieram demasiados pedidos da sua rede."),
        "pt-BR": UnsubscribeWords(
            ask: "Cancelar inscrição", question: "Você quer deixar de receber mensagens de %?",
            done: "Inscrição cancelada", confirmation: "Você não receberá mais mensagens de %.",
            broken: "Este link não funciona",
            brokenHelp: "Ele pode estar incompleto. Abra-o de novo a partir da mensagem ou escreva ao remetente.",
            busy: "Tente de novo em um minuto", busyHelp: "Muitas solicitações vieram da sua rede."),
        "nl": UnsubscribeWords(
            ask: "Afmelden", question: "Wilt u geen berichten van % meer ontvangen?",
            done: "U bent afgemeld", confirmation: "U ontvangt geen berichten van % meer.",
            broken: "Deze link werkt niet",
            brokenHelp: "Misschien is hij niet volledig. Open hem opnieuw vanuit het bericht of schrijf de afzender.",
            busy: "Probeer het over een minuut opnieuw", busyHelp: "Er kwamen te veel verzoeken van uw netwerk."),
        "sv": UnsubscribeWords(
            ask: "Avsluta prenumerationen", question: "Vill du inte längre få meddelanden från %?",
            done: "Prenumerationen är avslutad", confirmation: "Du får inga fler meddelanden från %.",
            broken: "Länken fungerar inte",
            brokenHelp: "Den kan vara ofullständig. Öppna den från meddelandet igen eller skriv till avsändaren.",
            busy: "Försök igen om en minut", busyHelp: "För många förfrågningar kom från ditt nätverk."),
        "da": UnsubscribeWords(
            ask: "Afmeld", question: "Vil du ikke længere modtage beskeder fra %?",
            done: "Du er afmeldt", confirmation: "Du modtager ikke flere beskeder fra %.",
            broken: "Linket virker ikke",
            brokenHelp: "Det er måske ufuldstændigt. Åbn det fra beskeden igen, eller skriv til afsenderen.",
            busy: "Prøv igen om et minut", busyHelp: "Der kom for mange forespørgsler fra dit netværk."),
        "nb": UnsubscribeWords(
            ask: "Meld deg av", question: "Vil du ikke lenger motta meldinger fra %?",
            done: "Du er meldt av", confirmation: "Du får ikke flere meldinger fra %.",
            broken: "Lenken virker ikke",
            brokenHelp: "Den kan være ufullstendig. Åpne den fra meldingen igjen, eller skriv til avsenderen.",
            busy: "Prøv igjen om et minutt", busyHelp: "Det kom for mange forespørsler fra nettverket ditt."),
        "fi": UnsubscribeWords(
            ask: "Peruuta tilaus", question: "Haluatko lopettaa viestien saamisen lähettäjältä %?",
            done: "Tilaus on peruttu", confirmation: "Et saa enää viestejä lähettäjältä %.",
            broken: "Tämä linkki ei toimi",
            brokenHelp: "Se voi olla vajaa. Avaa se viestistä uudelleen tai kirjoita lähettäjälle.",
            busy: "Yritä minuutin kuluttua uudelleen", busyHelp: "Verkostasi tuli liian monta pyyntöä."),
        "pl": UnsubscribeWords(
            ask: "Wypisz się", question: "Czy nie chcesz już otrzymywać wiadomości od %?",
            done: "Wypisano", confirmation: "Nie będziesz już otrzymywać wiadomości od %.",
            broken: "Ten odnośnik nie działa",
            brokenHelp: "Może być niepełny. Otwórz go ponownie z wiadomości lub napisz do nadawcy.",
            busy: "Spróbuj ponownie za minutę", busyHelp: "Z Twojej sieci przyszło zbyt wiele żądań."),
        "cs": UnsubscribeWords(
            ask: "Odhlásit odběr", question: "Nechcete už dostávat zprávy od %?",
            done: "Odběr je odhlášen", confirmation: "Další zprávy od % už nedostanete.",
            broken: "Tento odkaz nefunguje",
            brokenHelp: "Možná není úplný. Otevřete ho znovu ze zprávy nebo napište odesílateli.",
            busy: "Zkuste to znovu za minutu", busyHelp: "Z vaší sítě přišlo příliš mnoho požadavků."),
        "tr": UnsubscribeWords(
            ask: "Abonelikten çık", question: "% tarafından gönderilen iletileri almayı durdurmak istiyor musunuz?",
            done: "Aboneliğiniz sona erdi", confirmation: "% tarafından gönderilen iletileri artık almayacaksınız.",
            broken: "Bu bağlantı çalışmıyor",
            brokenHelp: "Eksik olabilir. İletiden yeniden açın ya da gönderene yazın.",
            busy: "Lütfen bir dakika sonra yeniden deneyin", busyHelp: "Ağınızdan çok fazla istek geldi."),
        "ru": UnsubscribeWords(
            ask: "Отписаться", question: "Вы больше не хотите получать сообщения от %?",
            done: "Вы отписаны", confirmation: "Вы больше не будете получать сообщения от %.",
            broken: "Эта ссылка не работает",
            brokenHelp: "Возможно, она неполная. Откройте её из письма ещё раз или напишите отправителю.",
            busy: "Повторите попытку через минуту", busyHelp: "Из вашей сети пришло слишком много запросов."),
        "uk": UnsubscribeWords(
            ask: "Відписатися", question: "Ви більше не хочете отримувати повідомлення від %?",
            done: "Вас відписано", confirmation: "Ви більше не отримуватимете повідомлень від %.",
            broken: "Це посилання не працює",
            brokenHelp: "Можливо, воно неповне. Відкрийте його з листа ще раз або напишіть відправнику.",
            busy: "Спробуйте ще раз за хвилину", busyHelp: "З вашої мережі надійшло забагато запитів."),
        "ar": UnsubscribeWords(
            ask: "إلغاء الاشتراك", question: "هل تريد التوقف عن تلقي الرسائل من %؟",
            done: "تم إلغاء اشتراكك", confirmation: "لن تتلقى بعد الآن رسائل من %.",
            broken: "هذا الرابط لا يعمل",
            brokenHelp: "قد يكون غير مكتمل. افتحه من الرسالة مرة أخرى أو اكتب إلى المرسل.",
            busy: "يرجى المحاولة مرة أخرى بعد دقيقة", busyHelp: "وردت طلبات كثيرة جدًا من شبكتك.",
            isRightToLeft: true),
        "ja": UnsubscribeWords(
            ask: "配信停止", question: "% からのメッセージの受信を停止しますか？",
            done: "配信を停止しました", confirmation: "% からのメッセージは今後届きません。",
            broken: "このリンクは使えません",
            brokenHelp: "途中で切れている可能性があります。メッセージからもう一度開くか、送信者にご連絡ください。",
            busy: "1分後にもう一度お試しください", busyHelp: "お使いのネットワークからのリクエストが多すぎます。"),
        "zh": UnsubscribeWords(
            ask: "退订", question: "您要停止接收来自 % 的邮件吗？",
            done: "您已退订", confirmation: "您将不再收到来自 % 的邮件。",
            broken: "此链接无效",
            brokenHelp: "链接可能不完整。请从邮件中重新打开，或联系发件人。",
            busy: "请一分钟后再试", busyHelp: "来自您网络的请求过多。"),
    ]

    /// The tag and the words for a reader; English where nothing fits.
    static func best(for languages: AcceptLanguage) -> (tag: String, words: UnsubscribeWords) {
        // A browser's Norwegian is `no` or one of its two forms.
        let tags = all.keys.sorted() + ["no", "nn"]
        let found = languages.best(of: tags) ?? "en"
        let tag = found == "no" || found == "nn" ? "nb" : found
        return (tag, all[tag] ?? english)
    }

    private static let english = all["en"]!
}
