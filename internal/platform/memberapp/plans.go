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
	_, _ = h.Write([]byte(zip)) // a hash never fails

	//nolint:gosec // not for secrets: the same zip code must give the same providers
	rnd := rand.New(rand.NewPCG(h.Sum64(), 1))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	first := []string{"Amara", "Benjamin", "Clara", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas"}
	last := []string{"Abbott", "Bianchi", "Castillo", "Dubois", "Eze", "Fraser", "Gupta", "Holm", "Ivers", "Jansen"}
	firsts, lasts := rnd.Perm(len(first)), rnd.Perm(len(last))
	tenths := 2
	out := make([]provider, 8)
	for i := range out {
		tenths += 2 + rnd.IntN(18)
		v := provider{Specialty: "Primary care", Copay: p.Primary, InNetwork: rnd.IntN(4) > 0,
			Name:  "Dr. " + first[firsts[i]] + " " + last[lasts[i]],
			Miles: fmt.Sprintf("%d.%d", tenths/10, tenths%10),
			Address: fmt.Sprintf("%d %s %s", 10+rnd.IntN(1900), pick("Cedar", "Lake", "Maple", "Mill", "Orchard", "Park", "River", "Summit"),
				pick("Street", "Avenue", "Road", "Way"))}
		if i%3 != 0 {
			v.Specialty, v.Copay = pick("Cardiology", "Dermatology", "Orthopedics", "Physical therapy", "Eye care", "Pediatrics", "Mental health"), p.Specialist
		}
		out[i] = v
	}
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
