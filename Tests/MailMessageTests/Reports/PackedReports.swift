import FoundationEssentials

/// A DMARC report as receivers pack it.
enum PackedReports {
    static let xml = """
        <?xml version="1.0" encoding="UTF-8"?>
        <feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
        <report_metadata><org_name>Receiver &amp; Sons</org_name><email>noreply@receiver.example</email>\
        <report_id>77.1</report_id>
        <date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
        <policy_published><domain>shop.example</domain><p>reject</p></policy_published>
        <record><row><source_ip>192.0.2.1</source_ip><count>12</count><policy_evaluated>\
        <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row></record>
        <record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>\
        <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row></record>
        <record><row><source_ip>2001:DB8::9</source_ip><count>40</count><policy_evaluated>\
        <disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row></record>
        </feedback>
        """

    /// With the sizes before the data, and behind it.
    static let zip = """
        UEsDBBQAAAAIAEEIfl1HMaWgbwEAAKYDAAAFAAAAci54bWzNk89uwjAMxu88RdXDbjRtmQZ0JkzTtAfYn3MVUgMZbRIlLYO3n0vL\
        QGOHidNycr7Yn39xFJjvqjLYovPK6FmYRHEYoJamUHo1C9/fnoeTcM4HsEQsFkJuAkrXfhY2TmcK62VmhROVz0jOtM+KSjg5TMmF\
        ahxa4+q8wloUohYcjFvlWlTIX1CioqbBjajsffBqtAf2fQpYCVVybcig3D+4PjnCHWWXCKw7P/qrgo/HUQLstB8ANcTcCb0iuwWu\
        lObJOO4XsE4B1EUnT+5G0yn50h7YeSn7eYcBWFMquc9tsyiVXyNVFIZ4NPdrY0+MvQiWO/xAWQOzZHdR3E5JGkcuznxy8KZxEnNl\
        eTKlKUZpe6+TCNI0uuZJCqyLjjS4FWVD3C2N8tZ4VdN70gh1i3KmQLFRFbfC08APIXi75EuaJ/Wh6BvxzJEd0FgPehXx6D8Cp3Gc\
        ZE+Pkyyb/oJ8G/+R+fi+l9Qd5bXU7Pjn+OALUEsBAhQDFAAAAAgAQQh+XUcxpaBvAQAApgMAAAUAAAAAAAAAAAAAAIABAAAAAHIu\
        eG1sUEsFBgAAAAABAAEAMwAAAJIBAAAAAA==
        """
    static let streamedZip = """
        UEsDBBQAAAAIAEEIfl1HMaWgbwEAAKYDAAAFAAAAci54bWzNk89uwjAMxu88RdXDbjRtmQZ0JkzTtAfYn3MVUgMZbRIlLYO3n0vL\
        QGOHidNycr7Yn39xFJjvqjLYovPK6FmYRHEYoJamUHo1C9/fnoeTcM4HsEQsFkJuAkrXfhY2TmcK62VmhROVz0jOtM+KSjg5TMmF\
        ahxa4+q8wloUohYcjFvlWlTIX1CioqbBjajsffBqtAf2fQpYCVVybcig3D+4PjnCHWWXCKw7P/qrgo/HUQLstB8ANcTcCb0iuwWu\
        lObJOO4XsE4B1EUnT+5G0yn50h7YeSn7eYcBWFMquc9tsyiVXyNVFIZ4NPdrY0+MvQiWO/xAWQOzZHdR3E5JGkcuznxy8KZxEnNl\
        eTKlKUZpe6+TCNI0uuZJCqyLjjS4FWVD3C2N8tZ4VdN70gh1i3KmQLFRFbfC08APIXi75EuaJ/Wh6BvxzJEd0FgPehXx6D8Cp3Gc\
        ZE+Pkyyb/oJ8G/+R+fi+l9Qd5bXU7Pjn+OALUEsBAhQDFAAAAAgAQQh+XUcxpaBvAQAApgMAAAUAAAAAAAAAAAAAAIABAAAAAHIu\
        eG1sUEsFBgAAAAABAAEAMwAAAJIBAAAAAA==
        """
    static let gzip = """
        H4sIAAAAAAACA82Tz27CMAzG7zxF1cNuNG2ZBnQmTNO0B9ifcxVSAxltEiUtg7efS8tAY4eJ03Jyvtiff3EUmO+qMtii88roWZhE\
        cRiglqZQejUL39+eh5NwzgewRCwWQm4CStd+FjZOZwrrZWaFE5XPSM60z4pKODlMyYVqHFrj6rzCWhSiFhyMW+VaVMhfUKKipsGN\
        qOx98Gq0B/Z9ClgJVXJtyKDcP7g+OcIdZZcIrDs/+quCj8dRAuy0HwA1xNwJvSK7Ba6U5sk47hewTgHURSdP7kbTKfnSHth5Kft5\
        hwFYUyq5z22zKJVfI1UUhng092tjT4y9CJY7/EBZA7Nkd1HcTkkaRy7OfHLwpnESc2V5MqUpRml7r5MI0jS65kkKrIuONLgVZUPc\
        LY3y1nhV03vSCHWLcqZAsVEVt8LTwA8heLvkS5on9aHoG/HMkR3QWA96FfHoPwKncZxkT4+TLJv+gnwb/5H5+L6X1B3ltdTs+Of4\
        4AtHMaWgpgMAAA==
        """

    static func octets(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }
}
