import Crypto
import Foundation
import Postgres
import Testing

/// What databases have applied must stay, byte for byte: a program with another text refuses them.
struct MigrationTextTests {
    /// SHA-256 of each text, as the database keeps it. A new migration gets a row; a row never changes.
    private let checksums = [
        1: "446052f61ad331ffad842fdd2492da687159b5ae57bd7e586a44414e2f32acb6",
        100: "4c5d38c7f9495084131bfc8392712a6ae3f24ae22867dd5e39617e0c7ceafbda",
        200: "e0b7b57f532a39f274c5fc4f63869a86ae1c597f2b231e4917519f42b76343c5",
        300: "8c59b40568ee497778dfd2a59997cd6463b6242681070534c311b8c67469ebdd",
        340: "2dccd20cc94845c8031e8dc7ff3dd746ab02b7249caf50e99453e0c6e2fccf00",
        400: "5c763a3941eb517c5adf26084976d7ea0640b083dcd21969d8c6ce6546f225e0",
        401: "0efad0430febbeb486188582d1e034c829f955d3c2801e7a6fdaa6d274a04d5f",
        402: "5056b040504d197ee96ef7a6bd3956d2f1174a6ce85daa1c267bde7adb9d8dc5",
        403: "18cf34a42e7839f38823c465f51da112fad243d25f3894c7a59a0a759de5c7f6",
        410: "64b62009b2b724c1dbff484e1e961ce0171da4ad4a80d16389e9face87e4045e",
        412: "7e40fae52e1001dfc5172ec8d5ac947af88b2d724aa61bea52ebb9fba4fe8f05",
        420: "8e723cdc9a38feb224d507bb0561fe3e1dc97132016a408c5121465338dec367",
        421: "8d4e8b49c9f6da422c92de86536bee31f3512311a5a5433b34aaf50a5386f701",
        422: "f414f870ad8253f027a9885efd75284f99e2b2f4a733c046a427200d3925ba0a",
        430: "a952b2a468694bcd22304df2530d682f153bb26edf9409152b159c401c27b125",
        440: "aaa909fac424e2bc5ea9cf9c0deb96efeced9dc8150fa0d33bfb75b23bc975c5",
        450: "bc530a4deb221e8f43756509904bb268a8b147b67c7cde10db20a81edcb7d847",
        451: "7eea1481dd33c5eb1b5bfbb57a0c6aabf8e8397e4a3ac919b98f2e3eb8124505",
        452: "1ead2793c8e5b18bff321185952cd25cbfef68c937d31c95eeb2abc620181a01",
        460: "82c70f4367cca8ab20b5099b69df639c2d40a5a92ecab8c9373c08dcbe25bc25",
        470: "15491a42165d687bd2e39691bc99cf5190186dacd981e469d821d08b37269dcd",
        480: "5d3e59abd4328bc6d3504d800c92d75be971abc8871aa39a4fcb09b4a2bfc743",
        481: "30f6a46aa9513e101ea7af7a9b9104f329630b1cfac193fd4948661b52dde8e0",
        490: "9863c9e4408ba7d95e356bc0115daaeea26b9a629cd4ff17f668a95a11963dcb",
        491: "02ed5dc3e5ffb55de9530273aa44667ced91d768c972f115733318019780a79a",
        500: "b31fd0c0152b7125b71ebac7f66faaa1e4ceb43bdf258b16e5cc0cec5ff384da",
        501: "81b098a2249ed93b9be0d96b0bede50f98a9dab255eb2281f6c745735bc409d0",
        510: "9117db7a8f362f9744cf09c2d9688f683705c75bd699f6522f943d9736863701",
        520: "1cc98806a85c9a5f1ac8815859fd43bd48efb7dbf18ab76fb3afdf246afcade1",
        521: "1a42fdd1e74adb709d37895562d23fc1381c2b577fa1f38ffad39a03460f9087",
        522: "69ec9d5b4e26324dc24e7f0c0a75185cc88db3d2593dd1a78c5602a13080f276",
        523: "f81cc41fc8dc1e42e577082079fd9f80f9dbf3b80b0f0b6ac0d2e753101c8cf4",
        530: "4b92fc0a317bb7fce52bcca3cee273b06b0ec7b33e675e5b9c2766ac541795c5",
        531: "97d0b6b93ce99b03fc7fafbe354791e8d87bfd76242224aa29efb7825115465d",
        560: "d5ea7644a94cb1a1be2370f164ecab3352cda7ee60d5363ea7b17a626ae04327",
        570: "77a2477f3dc0e12e6beedbc07e16a87ba94ef81b5d06e8b23838595a64fa0dbe",
        590: "103a10e1ce9e08134ac71ffbfab52ca282eb2d5b6dd2615d04746602393fc5b8",
        591: "ea580de1f48a1d8c619002f5f3c43b263ce15ea5203a0577dcf23800e7a5e7b2",
        592: "4178e000d267b96bd134984ff9a4597190a232e0564495e12aa635de7d6ab032",
        593: "c1145d3bd0a6c9d0d7db50248fef6555c25edd0ac96dc697e9909ea93fb56cd5",
        594: "7641da68444b12a1e6216b0f0bc5f2a7a75b9cf09703976daa7d414ae9ce9760",
        595: "e50f006ea8a09a0a3894cc7834e75bcb4457026f125bc89937b6353fcccacd41",
        600: "9db2894fbeef0482ede7c25fbd0487c7d0a9bfe5ed8cb41127cc1120b551cd58",
        610: "01b2ac77a6d8b0ec524e92e395a7cd192e5dbed4c05c2c7ae74849996099a58c",
        611: "23736214e300035f3e4e9b4861d0ca773a83fa35e07ae9775888150fc0ade85f",
        612: "1de95d35b79a8390301df326cf571162785f70708d84e359314dd35090f9770d",
        613: "bca65d39d40f11d5623ad8edc98f22161636777458fdfe4510bf6152cc75a5cb",
        614: "d0de34f0a263774c2ef6d87b5a4a3a5de64de1482dfd85a3dbe77694fda280b7",
        615: "95c24417cf9db3116f64d78c3ad2ca141585c0e84e39af4a2b44f36d8d00bf5a",
        616: "f379d8596e589d77f63c2d4acee1978c5b15c9c452c4a3eb8285d8e74294ad6e",
        640: "df357c565dd1eac4789503ea29a59783b39a441305d8aaa8aeda1ae95a7483a0",
        650: "65263a49d59b5c9f1b723fcb04fb77e6a18c36907278960b5cf8cfa6248d5fc9",
        660: "f5d005a70b27e69429290fc58848d867cf3c1a28d761defc32100eccbd7dbc9e",
        661: "5ddc152f5be36f592de7a71908eea321ce66fb6fa30981ca1afa69316a8b8ba4",
        662: "d41f26280bd120f0129fba8f40fd1f149557f2be7804b6b0e783f91ccbc89184",
        670: "44e86b7869c15d647ca23b2efb9e93159fba124f9d6b7f26f4372678816540c7",
        675: "59d44079fcfab507516451aa8ea56e44c4626a0d691a4623dad6ec765089cb26",
        710: "cb04877ebe032afb4e262f782b73df790f9d6b4c65b97e5500774b3d827df399",
        711: "5a0604512d35d21a834677739e31463572ae926a60af3d7fc5698cef7ab5b369",
    ]

    @Test func `the text of each migration is the one that was released`() {
        var found: [Int: String] = [:]
        for migration in Schemas.records + Schemas.vault {
            let digest = SHA256.hash(data: Array(migration.sql.utf8))
            found[migration.version] = digest.map { String(format: "%02x", $0) }.joined()
        }
        for version in Set(found.keys).union(checksums.keys).sorted() {
            #expect(found[version] == checksums[version], "migration \(version)")
        }
    }
}
