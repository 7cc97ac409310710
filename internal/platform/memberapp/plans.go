package memberapp

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"stead/internal/stead"
)

// plan is what a member is insured by. Amounts are whole dollars.
type plan struct {
	Name       string
	About      string
	Deductible int // a year, before the plan pays
	Limit      int // a year, the most a member pays
	Primary    int // copay for a visit
	Specialist int
	Share      int // percent of other costs that the member pays
}

func plans() []plan {
	return []plan{
		{"Haven Essential", "Low premium, for people who rarely see a doctor.", 4500, 8700, 40, 85, 40},
		{"Haven Balance", "A middle way: moderate premium, moderate copays.", 2000, 6500, 25, 55, 25},
		{"Haven Complete", "Higher premium, little to pay when care is needed.", 500, 3200, 10, 30, 10},
	}
}

// Plans lists the plans a Member may have.
func Plans() []string {
	var names []string
	for _, p := range plans() {
		names = append(names, p.Name)
	}
	return names
}

func planNamed(name string) (plan, bool) {
	for _, p := range plans() {
		if p.Name == name {
			return p, true
		}
	}
	return plan{}, false
}

// used is how much of the yearly deductible a member has paid: generated, the same for the same member.
func (p plan) used(m stead.MemberID) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m)) // a hash never fails
	return int(h.Sum64()%101) * p.Deductible / 100
}

// provider is one result of a search.
type provider struct {
	Name      string
	Specialty string
	Address   string
	Miles     string
	Copay     int
	InNetwork bool
	tenths    int
}

// validZip reports whether z is five ASCII digits.
func validZip(z string) bool {
	return len(z) == 5 && strings.Trim(z, "0123456789") == ""
}

// region says in words where a zip code lies, by its first digit, as the postal service divides the country.
func region(zip string) string {
	return [...]string{"New England and New Jersey", "New York, Pennsylvania and Delaware", "the Mid-Atlantic", "the Southeast",
		"Ohio, Indiana, Kentucky and Michigan", "the Upper Midwest", "Illinois and the Central Plains", "Texas and its neighbors",
		"the Mountain West", "the Pacific"}[zip[0]-'0']
}

// providersNear are the providers around a valid zip code, nearest first: generated from it, so that everybody who
// looks there sees the same ones.
func providersNear(zip string, p plan) []provider {
	h := fnv.New64a()
	_, _ = h.Write([]byte(zip))                // a hash never fails
	rnd := rand.New(rand.NewPCG(h.Sum64(), 1)) //nolint:gosec // the same zip code must give the same providers
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	out := make([]provider, 0, 8)
	for i := range cap(out) {
		special := pick("Cardiology", "Dermatology", "Orthopedics", "Physical therapy", "Eye care", "Pediatrics", "Mental health")
		if i < 3 {
			special = "Primary care"
		}
		v := provider{Specialty: special, tenths: 3 + rnd.IntN(120), InNetwork: rnd.IntN(5) > 0, Copay: p.Specialist,
			Name: "Dr. " + pick("Amara", "Benjamin", "Clara", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas") + " " +
				pick("Abbott", "Bianchi", "Castillo", "Dubois", "Eze", "Fraser", "Gupta", "Holm", "Ivers", "Jansen", "Kim", "Lindqvist"),
			Address: fmt.Sprintf("%d %s %s", 10+rnd.IntN(1900), pick("Cedar", "Lake", "Maple", "Mill", "Orchard", "Park", "River", "Summit"),
				pick("Street", "Avenue", "Road", "Way"))}
		if special == "Primary care" {
			v.Copay = p.Primary
		}
		v.Miles = fmt.Sprintf("%d.%d", v.tenths/10, v.tenths%10)
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b provider) int { return cmp.Compare(a.tenths, b.tenths) })
	return out
}

// readMembers checks the member list and orders it by name.
func readMembers(list []Member) (map[stead.MemberID]Member, []Member, error) {
	byID := make(map[stead.MemberID]Member, len(list))
	for _, m := range list {
		_, planned := planNamed(m.Plan)
		if m.ID == "" || m.Account == "" || m.Name == "" || m.Email == "" || !validZip(m.Zip) || !planned {
			return nil, nil, stead.Errorf(stead.CodeConfigInvalid, "the portal's member %q lacks name, e-mail, account, a zip code of five digits or a known plan", m.ID)
		}
		if _, twice := byID[m.ID]; twice {
			return nil, nil, stead.Errorf(stead.CodeConfigInvalid, "the portal's member %q is there twice", m.ID)
		}
		byID[m.ID] = m
	}
	byName := slices.Clone(list)
	slices.SortStableFunc(byName, func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
	})
	return byID, byName, nil
}
