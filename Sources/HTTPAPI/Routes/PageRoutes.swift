import HTTPTypes
import Hummingbird
import NIOCore

/// `/join`, `/sign-in`, `/password`, `/sign-up` and their script: pages that ask the API as any other client does.
struct PageRoutes: Sendable {
    /// Whether there is somebody who sends the mail of this installation.
    let hasMail: Bool
    let takesStrangers: Bool

    func add(to routes: OperationRoutes) {
        add(.joinPage, .join, to: routes)
        add(.signInPage, .signIn, to: routes)
        add(.passwordPage, .password, to: routes)
        add(.signUpPage, takesStrangers ? .signUp : .signUpClosed, to: routes)
        routes.on(.pageScript) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/javascript; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: PageScript.text)))
        }
    }

    private func add(_ operation: APIOperation, _ kind: PeoplePage.Kind, to routes: OperationRoutes) {
        let page = PeoplePage(kind: kind, hasMail: hasMail, takesStrangers: takesStrangers)
        routes.on(operation) { _, _ in page.response() }
    }
}
