package demodata

// people is where a name comes from. Given and family names are common ones, combined by chance; nobody is meant.
// familyFirst is the order in which the two are said; language and zone are what most of them use.
type people struct {
	given, family  string
	language, zone string
	familyFirst    bool
}

// world lists the peoples of the demo's members. The weight of each is one.
var world = []people{
	{given: "Ana Beatriz Caio Daniela Eduardo Flávia Gustavo Helena João Larissa Márcio Otávio",
		family: "Almeida Barbosa Conceição Fagundes Gonçalves Magalhães Nóbrega Pacheco Queirós Simões", language: "pt-BR", zone: "America/Sao_Paulo"},
	{given: "Álvaro Belén Ciro Eloísa Fermín Inés José Lucía Martín Nuria Óscar Ximena",
		family: "Aguilar Bermúdez Castaño Echeverría Ibáñez Ledesma Muñoz Núñez Peñalosa Zúñiga", language: "es-ES", zone: "Europe/Madrid"},
	{given: "Amélie Benoît Chloé Éloi François Gaëlle Hélène Jérôme Léa Mathéo Noémie Zoé",
		family: "Beauchêne Chevalier Desrosiers Fontaine Lefèvre Moreau Pélissier Rousseau Sévigné Vasseur", language: "fr-FR", zone: "Europe/Paris"},
	{given: "Anneliese Björn Dörte Florian Grete Jürgen Käthe Lukas Mareike Nils Rüdiger Theresa",
		family: "Ackermann Böttcher Dörfler Eichhorn Großmann Köhler Lindner Schröder Vogt Weißgerber", language: "de-DE", zone: "Europe/Berlin"},
	{given: "Åsa Bjørn Elin Frøydis Göran Håkon Ingrid Jørgen Linnéa Märta Sigrún Þórdís",
		family: "Ångström Bjørnstad Ekelöf Gunnarsdóttir Holmqvist Kjærgaard Lindström Nygård Sørbø Tøndel", language: "sv-SE", zone: "Europe/Stockholm"},
	{given: "Agnieszka Bartłomiej Dorota Grzegorz Jadwiga Kazimierz Łucja Małgorzata Paweł Stanisław Wojciech Żaneta",
		family: "Błaszczyk Ciesielska Dąbrowski Gołębiewska Jabłoński Kaźmierczak Łukasik Piątek Świderska Żukowski", language: "pl-PL", zone: "Europe/Warsaw"},
	{given: "Aneta Břetislav Dušan Eliška Jiří Květa Luboš Markéta Ondřej Růžena Tomáš Žofie",
		family: "Bělohlávek Čermáková Dvořák Hrušková Jeřábek Kovář Němcová Procházka Říhová Šimek", language: "cs-CZ", zone: "Europe/Prague"},
	{given: "Aylin Barış Çağla Deniz Ebru Furkan Gökçe İlker Müge Oğuz Şebnem Yiğit",
		family: "Akgün Bozkurt Çelik Demirtaş Erdoğmuş Güneş Kılınç Öztürk Şahin Yıldırım", language: "tr-TR", zone: "Europe/Istanbul"},
	{given: "Adaeze Babatunde Chiamaka Emeka Folasadé Ifeoma Kọ́lá Ngozi Olúwaseun Simisola Tobenna Yétúndé",
		family: "Abiọ́dún Adéyẹmí Chukwuma Ezekwesili Ibeh Nwachukwu Ọbásanyà Okonjo Ṣówándé Uzoma", language: "en-NG", zone: "Africa/Lagos"},
	{given: "Amina Baraka Esther Hamisi Juma Leila Mwajuma Neema Otieno Rehema Salim Wanjiru",
		family: "Achieng Kamau Kariuki Mkapa Mwangi Ndegwa Njoroge Odhiambo Omondi Wambui", language: "sw-KE", zone: "Africa/Nairobi"},
	{given: "Ahmad Dina Fāṭima Hāshim Karīm Laylá Mahmūd Nadia Rania Samīr Yūsuf Zaynab",
		family: "al-Amīn Barakat Darwīsh Fayyad Haddād al-Khaṭīb Mansour Nassar Sabbāgh Zaydān", language: "ar-EG", zone: "Africa/Cairo"},
	{given: "Aarav Bhavana Deepika Farhan Gauri Harish Ishani Kavya Manoj Nandini Rohan Śrīdhar",
		family: "Agarwal Banerjee Chowdhury Deshpande Iyer Kulkarni Mukherjee Patel Rāghavan Subramaniam", language: "en-IN", zone: "Asia/Kolkata"},
	{given: "Bảo Chi Đức Hằng Hương Khánh Linh Minh Ngọc Phương Thảo Tuấn", familyFirst: true,
		family: "Bùi Đặng Đỗ Huỳnh Lê Nguyễn Phạm Trần Võ Vũ", language: "vi-VN", zone: "Asia/Ho_Chi_Minh"},
	{given: "Bowen Chén Fāng Haoran Jiāyí Lěi Meilin Qiáng Ruòxī Tiānyǔ Xiǎoyàn Zhìyuǎn", familyFirst: true,
		family: "Chén Guō Huáng Lín Liú Máo Sūn Wáng Xǔ Zhāng", language: "zh-CN", zone: "Asia/Shanghai"},
	{given: "Aoi Daichi Emi Hana Kenji Kōhei Mei Noboru Ren Shōta Yūko Yui",
		family: "Aoki Endō Fujimoto Gotō Inoue Katō Matsuda Ōno Saitō Tōyama", language: "ja-JP", zone: "Asia/Tokyo"},
	{given: "Eun-ji Ha-yoon Ji-ho Joon-young Min-seo Seo-yeon Soo-jin Sung-min Ye-jin Young-ho", familyFirst: true,
		family: "Bae Choi Han Jung Kang Kwon Lim Park Shin Yoon", language: "ko-KR", zone: "Asia/Seoul"},
	{given: "Aoife Bríd Caoimhe Diarmuid Eoghan Gráinne Niamh Oisín Pádraig Róisín Seán Sinéad",
		family: "Byrne Doyle Fitzgerald Kavanagh MacCarthy Ní-Bhriain O'Brien O'Dónaill O'Leary Walsh", language: "en-IE", zone: "Europe/Dublin"},
	{given: "Abigail Benjamin Charlotte Dominic Eleanor Frederick Grace Isaac Mary-Ann Oliver Ruth Theodore",
		family: "Ashworth Bennett Carmichael Ellison Hargreaves Langley Merriweather Pemberton Sinclair Whitaker", language: "en-US", zone: "America/New_York"},
	{given: "Aleksandr Darya Fyodor Galina Ilya Katerina Mikhail Natalya Pavel Svetlana Yelena Yuriy",
		family: "Belova Chernov Dmitrieva Gorbunov Kuznetsova Lebedev Morozova Orlov Sidorenko Zhukova", language: "ru-RU", zone: "Europe/Moscow"},
	{given: "Anahera Aroha Hemi Kāhu Manaia Mere Ngaire Rāwiri Tāne Whetū",
		family: "Herangi Kāretu Māhuika Ngata Parata Rāwhiti Tāmati Te-Rangi Waititi Whaanga", language: "en-NZ", zone: "Pacific/Auckland"},
}

// account is a customer of the demo platform; weight is how many of its kind's members it has against the others.
type account struct {
	id, name string
	weight   int
	branches [][2]string // id and name
	zips     []string
}

var accounts = []account{
	{"alder", "Alder Family Health", 5, [][2]string{{"alder-north", "Northgate"}, {"alder-river", "Riverside"}, {"alder-hill", "Hillcrest"}}, []string{"02118", "02127", "02135"}},
	{"brightwater", "Brightwater Schools", 4, [][2]string{{"brightwater-primary", "Primary"}, {"brightwater-upper", "Upper School"}}, []string{"60614", "60622"}},
	{"corvid", "Corvid Logistics", 4, [][2]string{{"corvid-depot", "Depot"}, {"corvid-fleet", "Fleet"}, {"corvid-office", "Head Office"}, {"corvid-port", "Port"}}, []string{"77002", "77011", "77029"}},
	{"dunmore", "Dunmore Foods", 3, [][2]string{{"dunmore-bakery", "Bakery"}, {"dunmore-dairy", "Dairy"}}, []string{"53703", "53715"}},
	{"elmtree", "Elmtree Housing", 2, [][2]string{{"elmtree-east", "East"}, {"elmtree-west", "West"}, {"elmtree-south", "South"}}, []string{"94110", "94601"}},
	{"fjordlight", "Fjordlight Energy", 3, [][2]string{{"fjordlight-grid", "Grid"}, {"fjordlight-wind", "Wind"}}, []string{"98101", "98122"}},
	{"granary", "Granary Credit Union", 2, [][2]string{{"granary-main", "Main Street"}, {"granary-market", "Market Square"}, {"granary-station", "Station"}}, []string{"30303", "30318"}},
	{"harborview", "Harborview Hotels", 3, [][2]string{{"harborview-bay", "The Bay"}, {"harborview-old-town", "Old Town"}, {"harborview-pier", "The Pier"}, {"harborview-park", "The Park"}}, []string{"33130", "33139"}},
}

// plans lists what a member can be on, the most common first: each is twice as likely as the next.
var plans = []string{"Haven Essential", "Haven Balance", "Haven Complete"}

// mailHosts are under names that RFC 2606 keeps free, so that no notice reaches anybody.
var mailHosts = []string{"mail.example", "post.example", "inbox.example.org", "home.example.net", "letters.example.com"}

// areaCodes and the numbers 555-0100 to 555-0199 make telephone numbers that are kept free for fiction.
var areaCodes = []string{"206", "212", "305", "312", "404", "415", "503", "512", "608", "617", "646", "713", "720", "773", "808", "919"}
