import Application

@main
struct Main {
    static func main() async {
        await SluiceCommand.run()
    }
}
