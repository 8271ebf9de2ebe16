"""What each rule covers, how it decides, and how common what it looks for is: pages, and coverage of ATT&CK.

`entries` reads rules with the words of their files, `corpus` relates them to each other, `page` is all that is said
about one of them. HTML, Markdown, JSON and the terminal show the same page.
"""
