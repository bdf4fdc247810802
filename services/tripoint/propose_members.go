package main

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

var memberProposals = []proposal{
	{"admit COUNTRY", "Take a country in", 1, func(command *cobra.Command) {
		command.Flags().String("root", "", "the .pub file of its root")
		command.Flags().String("mirror", "", "the .pub file of its mirror key")
	}, admit},
	{"suspend COUNTRY", "End, for a time, a member's publishing, reading and cosigning", 1, func(command *cobra.Command) {
		command.Flags().String("reason", "", "why, in plain words, for everybody to read")
	}, func(args []string, command *cobra.Command) (*registryv1.Update, error) {
		reason, _ := command.Flags().GetString("reason")
		return &registryv1.Update{Change: &registryv1.Update_MemberSuspended{MemberSuspended: &registryv1.MemberSuspended{Country: args[0], Reason: reason}}}, nil
	}},
	{"reinstate COUNTRY", "End a suspension", 1, nil, func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
		return &registryv1.Update{Change: &registryv1.Update_MemberReinstated{MemberReinstated: &registryv1.MemberReinstated{Country: args[0]}}}, nil
	}},
	{"leave COUNTRY", "A country's own leave", 1, nil, func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
		return &registryv1.Update{Change: &registryv1.Update_MemberLeft{MemberLeft: &registryv1.MemberLeft{Country: args[0]}}}, nil
	}},
	{"rotate-root COUNTRY", "Exchange a root for the successor that it was committed to", 1, keyFlag,
		func(args []string, command *cobra.Command) (*registryv1.Update, error) {
			public, next, err := onlyKey(command, "key")
			return &registryv1.Update{Change: &registryv1.Update_RootRotated{RootRotated: &registryv1.RootRotated{Country: args[0], RootKey: public, RootNext: next}}}, err
		}},
	{"replace-root COUNTRY", "Give a country that lost its root another, by the others' consent", 1, keyFlag,
		func(args []string, command *cobra.Command) (*registryv1.Update, error) {
			public, next, err := onlyKey(command, "key")
			return &registryv1.Update{Change: &registryv1.Update_RootReplaced{RootReplaced: &registryv1.RootReplaced{Country: args[0], RootKey: public, RootNext: next}}}, err
		}},
	{"amend-charter", "Change threshold, quorum or notary", 0, func(command *cobra.Command) {
		command.Flags().Uint32("threshold", 0, "roots that a change of the charter takes")
		command.Flags().Uint32("quorum", 0, "countries that witness a checkpoint")
		command.Flags().String("notary", "", "the .pub file of another notary key")
	}, amendCharter},
	{"amend-retention CLASS=DAYS", "Add a retention class, or change how long its content lives", 1, nil,
		func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
			classes, err := classesOf(args)
			return &registryv1.Update{Change: &registryv1.Update_RetentionAmended{RetentionAmended: &registryv1.RetentionAmended{RetentionClasses: classes}}}, err
		}},
}

func admit(args []string, command *cobra.Command) (*registryv1.Update, error) {
	root, rootNext, err := onlyKey(command, "root")
	if err != nil {
		return nil, err
	}
	mirror, mirrorNext, err := onlyKey(command, "mirror")
	if err != nil {
		return nil, err
	}
	return &registryv1.Update{Change: &registryv1.Update_MemberAdmitted{MemberAdmitted: &registryv1.MemberAdmitted{Member: &registryv1.Member{
		Country: args[0], RootKey: root, RootNext: rootNext, MirrorKey: mirror, MirrorNext: mirrorNext,
	}}}}, nil
}

func amendCharter(_ []string, command *cobra.Command) (*registryv1.Update, error) {
	amended := &registryv1.CharterAmended{}
	if command.Flags().Changed("threshold") {
		threshold, _ := command.Flags().GetUint32("threshold")
		amended.Threshold = proto.Uint32(threshold)
	}
	if command.Flags().Changed("quorum") {
		quorum, _ := command.Flags().GetUint32("quorum")
		amended.Quorum = proto.Uint32(quorum)
	}
	if command.Flags().Changed("notary") {
		key, _, err := publicKey(command, "notary")
		if err != nil {
			return nil, err
		}
		amended.NotaryKey, amended.NotarySecondKey = key.public, key.second
	}
	return &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: amended}}, nil
}

func audienceFlags(command *cobra.Command) {
	command.Flags().StringSlice("purposes", nil, "what its events may be used for")
	command.Flags().StringSlice("retention", nil, "retention classes that its events may have (default: all)")
}

var audienceProposals = []proposal{
	{"form-audience AUDIENCE", "Make an audience", 1, func(command *cobra.Command) {
		command.Flags().StringSlice("members", nil, "countries in it")
		audienceFlags(command)
	}, func(args []string, command *cobra.Command) (*registryv1.Update, error) {
		members, _ := command.Flags().GetStringSlice("members")
		purposes, _ := command.Flags().GetStringSlice("purposes")
		retention, _ := command.Flags().GetStringSlice("retention")
		return &registryv1.Update{Change: &registryv1.Update_AudienceFormed{AudienceFormed: &registryv1.AudienceFormed{Audience: &registryv1.Audience{
			Audience: args[0], Members: members, Purposes: purposes, RetentionClasses: retention,
		}}}}, nil
	}},
	{"join-audience AUDIENCE COUNTRY", "Take a member into an audience", 2, nil, func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
		return &registryv1.Update{Change: &registryv1.Update_AudienceJoined{AudienceJoined: &registryv1.AudienceJoined{Audience: args[0], Country: args[1]}}}, nil
	}},
	{"leave-audience AUDIENCE COUNTRY", "A member's own leave of an audience", 2, nil, func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
		return &registryv1.Update{Change: &registryv1.Update_AudienceLeft{AudienceLeft: &registryv1.AudienceLeft{Audience: args[0], Country: args[1]}}}, nil
	}},
	{"amend-audience AUDIENCE", "Change what an audience is for", 1, audienceFlags, func(args []string, command *cobra.Command) (*registryv1.Update, error) {
		purposes, _ := command.Flags().GetStringSlice("purposes")
		retention, _ := command.Flags().GetStringSlice("retention")
		return &registryv1.Update{Change: &registryv1.Update_AudienceAmended{AudienceAmended: &registryv1.AudienceAmended{
			Audience: args[0], Purposes: purposes, RetentionClasses: retention,
		}}}, nil
	}},
}
